# SPDX-License-Identifier: Apache-2.0
"""trove-manage operations: look at long work, and help what does not end by itself."""

import getpass
import os
import typing

from trove.actions import operations as actions
from trove.db.queries import operations
from trove.model.states import LIVE, OperationState

Nouns = typing.Any


def add_to(nouns: Nouns) -> None:
    """Adds these commands to the command line."""
    noun = nouns.add_parser("operations", help="long work: list, show, retry, abandon")
    verbs = noun.add_subparsers(dest="verb", metavar="VERB", required=True)
    command = verbs.add_parser(
        "list", help="those that are not over, changed last first"
    )
    command.add_argument("--all", action="store_true", help="also those that are over")
    command.add_argument(
        "--state",
        action="append",
        choices=[str(state) for state in OperationState],
        help="only in this state; may be repeated",
    )
    command.add_argument("--object", metavar="ID", help="only of this instance")
    command.add_argument("--limit", type=int, default=100, help="at most (100)")
    command.set_defaults(do=list_operations)
    command = verbs.add_parser("show", help="one operation and its steps")
    command.add_argument("id")
    command.set_defaults(do=show)
    command = verbs.add_parser("retry", help="a stuck one goes on where it stuck")
    command.add_argument("id")
    command.add_argument(
        "--within",
        type=int,
        default=int(actions.WITHIN),
        metavar="SECONDS",
        help="its new deadline (3600)",
    )
    command.set_defaults(do=retry)
    command = verbs.add_parser(
        "abandon",
        help="end one that cannot go on. Nothing in the cloud is touched and no volume "
        "is deleted: delete the instance afterwards, or let the reaper look",
    )
    command.add_argument("id")
    command.add_argument("--why", required=True, help="for the record; users see it")
    command.add_argument("--by", default=None, metavar="WHO", help="for the record")
    command.set_defaults(do=abandon)


def list_operations(manage: typing.Any) -> None:
    """trove-manage operations list"""
    asked = manage.asked
    states = asked.state or ([] if asked.all else [*LIVE, OperationState.STUCK])
    with manage.database().reading() as tx:
        rows = operations.page(
            tx, states=states, object_id=asked.object, limit=asked.limit
        )
    columns = ("id", "kind", "object_id", "state", "due", "deadline", "owner", "fault")
    manage.out.rows(rows, columns)


def show(manage: typing.Any) -> None:
    """trove-manage operations show"""
    with manage.database().reading() as tx:
        shown = operations.show(tx, manage.asked.id)
    if manage.out.as_json:
        manage.out.facts({**shown.operation, "steps": list(shown.steps)})
        return
    manage.out.facts(shown.operation)
    manage.out.say("")
    columns = ("seq", "name", "state", "begun_at", "fault")
    manage.out.rows(shown.steps, columns)


def retry(manage: typing.Any) -> None:
    """trove-manage operations retry"""
    id = manage.asked.id
    actions.retry(manage.database(), id, manage.asked.within)
    manage.out.say(f"Operation {id} is due now.", id=id)


def abandon(manage: typing.Any) -> None:
    """trove-manage operations abandon"""
    asked = manage.asked
    who = asked.by or os.environ.get("SUDO_USER") or getpass.getuser()
    actions.abandon(manage.database(sealed=True), asked.id, who, asked.why)
    manage.out.say(f"Operation {asked.id} was abandoned by {who}.", id=asked.id, by=who)
