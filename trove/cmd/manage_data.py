# SPDX-License-Identifier: Apache-2.0
"""trove-manage db and datastore: the rows that an operator keeps."""

import argparse
import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.actions import parameters
from trove.datastores import registry
from trove.db import migrate
from trove.db.queries import datastores
from trove.db.tables import Instance

Nouns = typing.Any
MISSING = 3
OFFERS = ("flavors", "volume_types")


def add_to(nouns: Nouns) -> None:
    """Adds these commands to the command line."""
    _database(nouns.add_parser("db", help="bring the database up to date"))
    _datastores(
        nouns.add_parser("datastore", help="register datastores and their versions")
    )


# -- db ----------------------------------------------------------------------------


def _database(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    command = verbs.add_parser("sync", help="migrate to the newest revision")
    command.add_argument("revision", nargs="?", default="head", help="not the newest")
    command.set_defaults(do=sync)
    command = verbs.add_parser("version", help="the revision, and whether it is ours")
    command.set_defaults(do=version)
    command = verbs.add_parser("downgrade", help="migrate back; data may be lost")
    command.add_argument("revision", help="the revision to go to, or 'base'")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.set_defaults(do=downgrade)
    command = verbs.add_parser(
        "recreate", help="empty it; refused while anything lives"
    )
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.set_defaults(do=recreate)


def sync(manage: typing.Any) -> None:
    """trove-manage db sync"""
    database = manage.database(timeout=0)
    before = migrate.current(database)
    if before is not None and not migrate.known(before):
        raise errors.Conflict(
            f"The database is at revision {before}, which this release does not know: "
            "a later release migrated it."
        )
    migrate.upgrade(database, manage.asked.revision)
    after = migrate.current(database)
    done = "was at" if before == after else "is now at"
    manage.out.say(f"The database {done} revision {after}.", before=before, after=after)


def version(manage: typing.Any) -> int:
    """trove-manage db version: 3 when migrations are missing."""
    at, newest = migrate.current(manage.database()), migrate.head()
    manage.out.facts({"database": at, "newest": newest})
    return 0 if at == newest else MISSING


def downgrade(manage: typing.Any) -> None:
    """trove-manage db downgrade"""
    wanted = manage.asked.revision
    if not manage.asked.yes:
        raise errors.Conflict(
            f"Going back to {wanted} drops tables and columns; say --yes to do it."
        )
    database = manage.database(timeout=0)
    migrate.downgrade(database, wanted)
    after = migrate.current(database)
    manage.out.say(f"The database is now at revision {after or 'base'}.", after=after)


def recreate(manage: typing.Any) -> None:
    """trove-manage db recreate

    Never while an instance lives: its server and its data would be nobody's.
    """
    database = manage.database(timeout=0)
    if migrate.current(database) is not None:
        with database.reading() as tx:
            living = tx.scalar(
                sa.select(sa.func.count())
                .select_from(Instance)
                .where(Instance.deleted_at.is_(None))
            )
        if living:
            raise errors.Conflict(f"{living} instances live; delete them first.")
    if not manage.asked.yes:
        raise errors.Conflict(
            "All that is in the database is lost; say --yes to do it."
        )
    migrate.downgrade(database, "base")
    migrate.upgrade(database)
    after = migrate.current(database)
    manage.out.say(f"The database is empty, at revision {after}.", after=after)


# -- datastore ---------------------------------------------------------------------


def _datastores(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    command = verbs.add_parser("list", help="every datastore and version")
    command.set_defaults(do=list_datastores)
    command = verbs.add_parser("register", help="make a datastore known")
    command.add_argument("name")
    command.add_argument(
        "--default", metavar="VERSION", help="its default version, by name or id"
    )
    command.set_defaults(do=register)
    version = verbs.add_parser("version", help="its versions")
    verbs = version.add_subparsers(dest="what", metavar="VERB", required=True)
    command = verbs.add_parser("register", help="make a version known, or change it")
    command.add_argument("datastore", help="its name; it is registered when it is new")
    command.add_argument("name", help="what users ask for, such as 10.11")
    command.add_argument("--number", help="the engine's own version, such as 10.11.11")
    command.add_argument("--manager", help="the plug-in; default: the datastore's name")
    command.add_argument("--image", help="id of the guest image")
    command.add_argument("--image-tags", help="tags of the guest image, with commas")
    command.add_argument("--packages", help="packages of the guest, with commas")
    command.add_argument("--registry-ext", help="kept and shown; nothing reads it")
    command.add_argument("--repl-strategy", help="kept and shown; nothing reads it")
    shown = command.add_mutually_exclusive_group()
    shown.add_argument(
        "--active",
        action="store_true",
        default=None,
        help="users can ask for it; a new one is",
    )
    shown.add_argument(
        "--inactive", dest="active", action="store_false", help="they cannot"
    )
    command.add_argument(
        "--default", action="store_true", help="make it the datastore's default version"
    )
    command.set_defaults(do=register_version)
    for what in OFFERS:
        _offer(verbs, what)


def _offer(verbs: Nouns, what: str) -> None:
    """``datastore version flavors``, and the same of volume types."""
    plural = what.replace("_", " ")
    command = verbs.add_parser(
        what.replace("_", "-"),
        help=f"the {plural} that instances of a version may have; none said: all",
    )
    command.add_argument("datastore", help="its name or id")
    command.add_argument("name", help="the version's name or id")
    command.add_argument(
        "--add", nargs="+", default=[], metavar="ID", help="it may have these too"
    )
    command.add_argument(
        "--remove", nargs="+", default=[], metavar="ID", help="it may not have these"
    )
    command.set_defaults(do=offer, offers=what)


def offer(manage: typing.Any) -> None:
    """trove-manage datastore version flavors|volume-types

    Instances that have another already keep it.
    """
    asked = manage.asked
    strange = set(asked.add) & set(asked.remove)
    if strange:
        raise errors.Invalid(f"{', '.join(sorted(strange))}: to be added and removed.")

    def work(tx: orm.Session) -> list[str]:
        _, row = datastores.version(tx, asked.datastore, asked.name, inactive=True)
        had = set(getattr(row, asked.offers) or ())
        if missing := set(asked.remove) - had:
            raise errors.Invalid(f"{', '.join(sorted(missing))}: not among them.")
        has = sorted((had | set(asked.add)) - set(asked.remove))
        if asked.add or asked.remove:
            setattr(row, asked.offers, has or None)
        return has

    has = manage.database().run(work)
    told = ", ".join(has) or "all"
    manage.out.say(f"{asked.offers.replace('_', ' ')}: {told}", **{asked.offers: has})


def list_datastores(manage: typing.Any) -> None:
    """trove-manage datastore list"""
    with manage.database().reading() as tx:
        rows = [
            {
                "datastore": offer.datastore.name,
                "version": row.name,
                "number": row.number,
                "manager": row.manager,
                "image": row.image_id,
                "image_tags": row.image_tags,
                "active": row.active,
                "default": row.id == offer.datastore.default_version_id,
                "id": row.id,
            }
            for offer in datastores.all(tx, inactive=True)
            for row in offer.versions
        ]
    columns = ("datastore", "version", "number", "manager", "image", "image_tags")
    manage.out.rows(rows, (*columns, "active", "default", "id"))


def register(manage: typing.Any) -> None:
    """trove-manage datastore register"""
    name, default = manage.asked.name, manage.asked.default

    def work(tx: orm.Session) -> str:
        row = datastores.register(tx, name)
        if default:
            _, version = datastores.version(tx, row.id, default, inactive=True)
            row.default_version_id = version.id
        return row.id

    id = manage.database().run(work)
    manage.out.say(f"Datastore {name} is registered.", id=id, name=name)


def register_version(manage: typing.Any) -> None:
    """trove-manage datastore version register"""
    asked = manage.asked
    manager = asked.manager or asked.datastore
    if manager not in registry.names():
        raise errors.Invalid(
            f"There is no datastore plug-in '{manager}'; there are "
            f"{', '.join(registry.names())}."
        )
    columns: dict[str, typing.Any] = {"manager": manager}
    if asked.image is not None:
        columns["image_id"] = asked.image
    for name in ("image_tags", "packages"):
        if (text := getattr(asked, name)) is not None:
            columns[name] = [word for each in text.split(",") if (word := each.strip())]
    for name in ("registry_ext", "repl_strategy"):
        if getattr(asked, name) is not None:
            columns[name] = getattr(asked, name)
    if asked.active is not None:
        columns["active"] = asked.active

    def work(tx: orm.Session) -> str:
        row = datastores.register_version(
            tx,
            asked.datastore,
            asked.name,
            asked.number or asked.name,
            default=asked.default,
            **columns,
        )
        if not row.image_id and not row.image_tags:
            raise errors.Invalid("A version needs --image or --image-tags.")
        parameters.seed(tx, row.id, row.manager)
        return row.id

    id = manage.database().run(work)
    manage.out.say(
        f"Version {asked.name} of datastore {asked.datastore} is registered.", id=id
    )
