# SPDX-License-Identifier: Apache-2.0
"""What a guest is asked to change while a user waits: written down before it is asked.

Its end is one event: that it was done, or that nobody knows. What has no end, because
the process that asked died, gets one from a taskmanager (``Housekeeping``). When the
same request comes again, what was done is not done again, and what is unknown is asked
for once more, in words that a guest which did it before understands.
"""

import dataclasses
import typing
import uuid

from sqlalchemy import orm

from trove import errors
from trove.actions.services import Services
from trove.context import Context
from trove.db.queries import deeds
from trove.workflow import journal

NOT_DONE = (
    errors.Invalid,
    errors.Forbidden,
    errors.NotFound,
    errors.Conflict,
    errors.Unsupported,
)
"""A guest that answers one of these has changed nothing. Of others nobody knows."""

Do = typing.Callable[[bool], object]
"""Asks the guest; True: it was asked before, and may have done it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Beside:
    """What is written in the transactions of a deed: a number that names it when it is
    asked, and its state when it has ended."""

    asked: typing.Callable[[orm.Session], int] = lambda tx: 0
    ended: typing.Callable[[orm.Session, int, str], object] = lambda tx, number, to: 0


def absent(again: bool, ask: typing.Callable[[], object]) -> None:
    """Has something be taken away; what is not there any more, was, if asked again."""
    try:
        ask()
    except errors.NotFound:
        if not again:
            raise


class Deeds:
    """Those of one instance, for one request."""

    def __init__(self, services: Services, context: Context, instance: str) -> None:
        self._services, self._context = services, context
        self._instance = instance

    def carry(
        self,
        kind: str,
        do: Do,
        about: dict[str, typing.Any],
        beside: Beside | None = None,
    ) -> bool:
        """Whether it is done now; not, if an earlier request of the key had done it."""
        beside = beside or Beside()
        mine = str(uuid.uuid4())
        kind = f"instance.{kind}"
        payload = {"user": self._context.user, **about}

        def written(tx: orm.Session) -> list[typing.Any]:
            request = self._context.request_id
            deeds.write(tx, mine, self._instance, kind, payload, request)
            return [mine, beside.asked(tx)]

        id, number = self._services.database.run(written)
        if self._services.rehearsed:
            return True
        again = False
        if id != mine:
            found = self._services.books.run(lambda tx: deeds.reopen(tx, id))
            if found.state == deeds.DONE:
                return False
            again = found.doubtful
        try:
            do(again)
        except NOT_DONE:
            self._end(id, number, deeds.REFUSED, beside)
            raise
        self._end(id, number, deeds.DONE, beside)
        return True

    def _end(self, id: str, number: int, state: str, beside: Beside) -> None:
        def ended(tx: orm.Session) -> None:
            row = deeds.end(tx, id, state)
            if row is not None:
                if row.state == state:
                    beside.ended(tx, number, state)
                tell(tx, row)

        self._services.books.run(ended)


def tell(tx: orm.Session, row: typing.Any) -> None:
    """The event of a deed that has ended. What was refused changed nothing."""
    kinds = {deeds.DONE: row.kind, deeds.UNKNOWN: f"{row.kind}.unknown"}
    if row.state in kinds:
        kind = kinds[row.state]
        journal.event(tx, row.instance_id, kind, row.payload, row.request_id)
