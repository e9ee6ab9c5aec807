# SPDX-License-Identifier: Apache-2.0
"""trove-manage quota: a project's limits, its counters, and whether they are right."""

import dataclasses
import typing

from trove import errors
from trove.actions import recount
from trove.config import quota as quota_options
from trove.db.queries import quotas
from trove.model.quotas import RESOURCES

Nouns = typing.Any
WRONG = 3


def add_to(nouns: Nouns) -> None:
    """Adds these commands to the command line."""
    noun = nouns.add_parser(
        "quota",
        aliases=["quotas"],
        help="show and set a project's quotas; recount what it uses",
    )
    verbs = noun.add_subparsers(dest="verb", metavar="VERB", required=True)
    command = verbs.add_parser("show", help="a project's limits and what it uses")
    command.add_argument("project", help="its id")
    command.set_defaults(do=show_quotas)
    command = verbs.add_parser("set", help="set limits of a project")
    command.add_argument("project", help="its id")
    command.add_argument(
        "limits",
        nargs="+",
        metavar="RESOURCE=LIMIT",
        help=f"one of {', '.join(RESOURCES)}; -1 is unlimited",
    )
    command.set_defaults(do=set_quotas)
    command = verbs.add_parser(
        "recount",
        help="the counters beside what there is",
        description="Counts what is used and reserved from the instances and the "
        "operations themselves, in one moment (INV-5). Exit code 0: every counter is "
        "right, or was repaired; 3: one is wrong.",
    )
    command.add_argument("--project", metavar="ID", help="only of this project")
    command.add_argument(
        "--repair",
        action="store_true",
        help="set wrong counters right, a transaction a project; the service may run",
    )
    command.set_defaults(do=recount_quotas)


def show_quotas(manage: typing.Any) -> None:
    """trove-manage quota show"""
    defaults = quota_options.defaults(manage.conf)
    with manage.database().reading() as tx:
        rows = quotas.rows(tx, manage.asked.project, defaults)
    manage.out.rows(rows, ("resource", "in_use", "reserved", "limit"))


def set_quotas(manage: typing.Any) -> None:
    """trove-manage quota set"""
    limits = {}
    for word in manage.asked.limits:
        resource, _, limit = word.partition("=")
        try:
            limits[resource] = int(limit)
        except ValueError:
            raise errors.Invalid(f"'{word}' is not RESOURCE=LIMIT.") from None
    project = manage.asked.project
    manage.database().run(lambda tx: quotas.set_limits(tx, project, limits))
    show_quotas(manage)


def recount_quotas(manage: typing.Any) -> int:
    """trove-manage quota recount: 3 when a counter is wrong and was left so."""
    asked, database = manage.asked, manage.database()
    with database.snapshot() as tx:
        lines = recount.lines(tx, asked.project)
    wrong = {line.project for line in lines if not line.agrees}
    state = {True: "right", False: "wrong"}
    if asked.repair:
        # what was wrong under the lock is what counts, not what was seen before it
        repaired = {
            (line.project, line.resource): line
            for project in sorted(wrong)
            for line in recount.repair(database, project)
        }
        lines = [repaired.get((line.project, line.resource), line) for line in lines]
        wrong, state[False] = set(), "repaired"
    rows = [dataclasses.asdict(line) | {"state": state[line.agrees]} for line in lines]
    columns = ("project", "resource", "used", "used_counted")
    manage.out.rows(rows, (*columns, "reserved", "reserved_counted", "state"))
    return WRONG if wrong else 0
