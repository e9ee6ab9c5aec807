# SPDX-License-Identifier: Apache-2.0
"""trove-manage parameters: the rules that configuration groups obey."""

import argparse
import pathlib
import typing

from sqlalchemy import orm

from trove import errors
from trove.actions import parameters
from trove.datastores import rules as files
from trove.db.queries import configurations, datastores
from trove.db.tables import DatastoreVersion

Nouns = typing.Any


def add_to(nouns: Nouns) -> None:
    """Adds these commands to the command line."""
    noun = nouns.add_parser(
        "parameters", help="the rules that the values of configuration groups obey"
    )
    verbs = noun.add_subparsers(dest="verb", metavar="VERB", required=True)
    command = verbs.add_parser("list", help="those of a datastore version")
    _which(command)
    command.set_defaults(do=list_rules)
    command = verbs.add_parser(
        "load",
        help="have these rules and no others",
        description="The file is what the engine of the version's image says of "
        "itself: 'trove-localcloud rules' or, in an image, 'trove-guestagent rules' "
        f'writes it. It is JSON, {{"{files.ROOT}": [{{"name", "type", '
        '"restart_required", "min"?, "max"?, "values"?}]}. No rule may be wider than '
        "the policy of the datastore's plug-in, and administrators may narrow what is "
        "loaded. Without FILE, those that were loaded before, or what the plug-in "
        "declares.",
    )
    _which(command)
    command.add_argument("file", nargs="?", type=pathlib.Path)
    command.add_argument(
        "--once",
        action="store_true",
        help="leave everything as it is if a file was loaded before",
    )
    command.set_defaults(do=load)
    # the name by which upstream's operators know it
    command = nouns.add_parser(
        "db_load_datastore_config_parameters", help="the same as parameters load"
    )
    _which(command)
    command.add_argument("file", type=pathlib.Path)
    command.set_defaults(do=load, once=False)


def _which(command: argparse.ArgumentParser) -> None:
    command.add_argument("datastore", help="its name or id")
    command.add_argument("version", help="its name or id")
    command.add_argument(
        "--version", dest="number", metavar="NUMBER", help="which of several of a name"
    )


def list_rules(manage: typing.Any) -> None:
    """trove-manage parameters list"""
    with manage.database().reading() as tx:
        rules = configurations.rules(tx, _version(tx, manage.asked).id)
    rows = [{"name": name, **rule} for name, rule in rules.items()]
    manage.out.rows(rows, ("name", "type", "min", "max", "unit", "restart_required"))


def load(manage: typing.Any) -> None:
    """trove-manage parameters load"""
    asked = manage.asked
    told = _read(asked.file) if asked.file else None

    def work(tx: orm.Session) -> tuple[int, str]:
        row = _version(tx, asked)
        if asked.once and configurations.loaded(tx, row.id):
            return len(configurations.rules(tx, row.id)), ""
        if told is None:
            return parameters.reset(tx, row.id, row.manager), ""
        if told.datastore not in (None, row.manager):
            raise errors.Invalid(
                f"{asked.file} is of {told.datastore}, and {asked.datastore} "
                f"{asked.version} is of {row.manager}."
            )
        by = f", as {told.engine} has them" if told.engine else ""
        return parameters.load(tx, row.id, told.rules), by

    count, by = manage.database().run(work)
    manage.out.say(
        f"{asked.datastore} {asked.version} has {count} parameters{by}.", count=count
    )


def _version(tx: orm.Session, asked: typing.Any) -> DatastoreVersion:
    offer = datastores.find(tx, asked.datastore, inactive=True)
    found = [
        row
        for row in offer.versions
        if asked.version in (row.id, row.name) and asked.number in (None, row.number)
    ]
    if len(found) > 1:
        numbers = ", ".join(row.number for row in found)
        raise errors.Invalid(
            f"There are several versions {asked.version}; say --version, one of: "
            f"{numbers}."
        )
    if not found:
        raise errors.DatastoreVersionNotFound(id=asked.version)
    return found[0]


def _read(path: pathlib.Path) -> files.Document:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failed:
        why = getattr(failed, "strerror", None) or "it is not UTF-8"
        raise errors.Invalid(f"{path} cannot be read: {why}.") from None
    return files.read(text, str(path))
