# SPDX-License-Identifier: Apache-2.0
"""trove-manage parameters: the rules that configuration groups obey."""

import argparse
import json
import pathlib
import typing

from sqlalchemy import orm

from trove import errors
from trove.actions import parameters
from trove.db.queries import configurations, datastores
from trove.db.tables import DatastoreVersion

Nouns = typing.Any
ROOT = "configuration-parameters"


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
        description="Without FILE, the rules of the datastore's plug-in. The file is "
        f'JSON, {{"{ROOT}": [{{"name", "type", "restart_required", "min"?, '
        '"max"?}]}. '
        "A rule may be narrower than the plug-in's, never wider.",
    )
    _which(command)
    command.add_argument("file", nargs="?", type=pathlib.Path)
    command.set_defaults(do=load)
    # the name by which upstream's operators know it
    command = nouns.add_parser(
        "db_load_datastore_config_parameters", help="the same as parameters load"
    )
    _which(command)
    command.add_argument("file", type=pathlib.Path)
    command.set_defaults(do=load)


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
    manage.out.rows(rows, ("name", "type", "min", "max", "restart_required"))


def load(manage: typing.Any) -> None:
    """trove-manage parameters load"""
    asked = manage.asked
    rules = _read(asked.file) if asked.file else None

    def work(tx: orm.Session) -> int:
        row = _version(tx, asked)
        if rules is None:
            return parameters.reset(tx, row.id, row.manager)
        return parameters.load(tx, row.id, rules)

    count = manage.database().run(work)
    manage.out.say(
        f"{asked.datastore} {asked.version} has {count} parameters.", count=count
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


def _read(path: pathlib.Path) -> parameters.Rules:
    """The rules of a file, by name; raises ``errors.Invalid`` for one that is none."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))[ROOT]
        rules = {str(entry["name"]): _rule(entry) for entry in entries}
    except OSError as failed:
        raise errors.Invalid(f"{path} cannot be read: {failed.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise errors.Invalid(f"{path} is no file of {ROOT}.") from None
    if len(rules) < len(entries):
        raise errors.Invalid(f"{path} names a parameter twice.")
    return rules


def _rule(entry: typing.Any) -> configurations.Rule:
    rule = {key: entry.get(key) for key in ("min", "max")}
    for bound in rule.values():
        if bound is not None and not isinstance(bound, int | float):
            raise ValueError(bound)
    rule["type"] = str(entry["type"])
    rule["restart_required"] = bool(entry["restart_required"])
    return rule
