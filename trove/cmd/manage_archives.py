# SPDX-License-Identifier: Apache-2.0
"""trove-manage archives: how far behind the transaction logs of the instances are."""

import argparse
import typing

from trove.actions import archives
from trove.actions.archives import LogState

Nouns = typing.Any
BEHIND = 3


def add_to(nouns: Nouns) -> None:
    """Adds this command to the command line."""
    noun = nouns.add_parser(
        "archives", help="the instances' transaction logs: how far behind they are"
    )
    verbs = noun.add_subparsers(dest="verb", metavar="VERB", required=True)
    command = verbs.add_parser(
        "lag",
        help="each log, the one that is furthest behind first",
        description="Of each instance whose policy asks for its transaction log: "
        "whether it is followed, broken or waiting to be begun, and how many seconds "
        "of it are not in the store. Exit code 0, also when logs are behind; with "
        "--fail-above 3 when one is broken, or behind by more than that.",
    )
    command.add_argument(
        "--fail-above",
        type=_seconds,
        metavar="SECONDS",
        help="exit with 3 when a log is behind by more, or is broken",
    )
    command.add_argument("--project", metavar="ID", help="only of this project")
    command.set_defaults(do=lag)


def lag(manage: typing.Any) -> int:
    """trove-manage archives lag"""
    asked = manage.asked
    found = archives.logs(manage.database(), asked.project)
    rows = [one._asdict() for one in found]
    columns = ("instance", "project", "state", "lag", "latest", "waiting")
    manage.out.rows(rows, (*columns, "reported_at", "again", "fault"))
    if asked.fail_above is None:
        return 0
    failed = any(
        one.state == LogState.BROKEN or one.lag > asked.fail_above for one in found
    )
    return BEHIND if failed else 0


def _seconds(word: str) -> float:
    try:
        found = float(word)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise argparse.ArgumentTypeError(f"'{word}' is no number of seconds")
    return found
