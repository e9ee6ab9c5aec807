# SPDX-License-Identifier: Apache-2.0
"""trove-manage operations: look at long work, and help what does not end by itself."""

import getpass
import os
import typing

from trove.actions import operations as actions
from trove.db.queries import operations
from trove.db.session import now
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
        manage.out.now = now(tx)
    columns = ("id", "kind", "object_id", "state", "created", "due", "deadline")
    manage.out.rows(rows, (*columns, "owner", "fault"))


def show(manage: typing.Any) -> None:
    """trove-manage operations show"""
    with manage.database().reading() as tx:
        shown = operations.show(tx, manage.asked.id)
        manage.out.now = now(tx)
    facts, steps = timed(shown, manage.out.now)
    if manage.out.as_json:
        manage.out.facts({**facts, "steps": steps})
        return
    manage.out.facts(facts)
    manage.out.say("")
    manage.out.rows(steps, ("seq", "name", "state", "begun_at", "took", "fault"))


def timed(
    shown: operations.Shown, moment: float
) -> tuple[dict[str, typing.Any], list[dict[str, typing.Any]]]:
    """Where the time went: of the whole, before the first step, and of each step.

    A step took until the next began; the last one until the end, so what was taken back
    after a failure counts to it.
    """
    facts = dict(shown.operation)
    over = facts["state"] in (OperationState.DONE, OperationState.FAILED)
    end = facts["updated"] if over else moment
    begun = [step["begun_at"] for step in shown.steps]
    facts["waited"] = (begun[0] if begun else end) - facts["created"]
    facts["took"] = end - facts["created"]
    if over:  # nobody looks at it again
        facts["due"] = None
    steps = [
        dict(step) | {"took": after - step["begun_at"]}
        for step, after in zip(shown.steps, [*begun, end][1:], strict=True)
    ]
    return facts, steps


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
