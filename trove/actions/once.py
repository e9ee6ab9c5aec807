# SPDX-License-Identifier: Apache-2.0
"""An Idempotency-Key: what was done for it is not done again (INV-8).

A request with a key is carried out by the same code as one without, over a database
that notes each transaction, in that transaction itself, under the key. The same request
once more runs through the same code, and what was done before answers what it answered
then. So it does not matter where the first one was cut off, and no handler knows of it.
"""

import contextlib
import typing

from sqlalchemy import orm

from trove.actions.begin import Token
from trove.actions.services import Services
from trove.db.queries import tokens
from trove.db.session import Database

T = typing.TypeVar("T")


class Once:
    """A ``Database`` to actions, for one request with a key.

    Its transactions must answer what JSON can hold.
    """

    def __init__(self, services: Services, project: str, token: Token) -> None:
        self._database = services.database
        self._project, self._key, self._hash = project, token.key, token.hash
        self._turn = 0
        self.services = services.keeping(typing.cast(Database, self))

    @property
    def over(self) -> bool:
        """Whether all of it was done; raises ``errors.IdempotencyMismatch``."""
        with self._database.reading() as tx:
            found = tokens.look(tx, self._project, self._key, self._hash)
            return found is not None and found.over

    def end(self) -> None:
        """All of it is done."""

        def work(tx: orm.Session) -> None:
            tokens.hold(tx, self._project, self._key, self._hash).over = True

        self._database.run(work)

    def reading(self) -> contextlib.AbstractContextManager[orm.Session]:
        """What is there is there."""
        return self._database.reading()

    def run(self, work: typing.Callable[[orm.Session], T], attempts: int = 5) -> T:
        """Done now, or the answer of before."""

        def kept(tx: orm.Session) -> T:
            row = tokens.hold(tx, self._project, self._key, self._hash)
            if self._turn < len(row.answers):
                return typing.cast(T, row.answers[self._turn])
            answer = work(tx)
            tokens.note(row, answer)
            return answer

        answer = self._database.run(kept, attempts)
        self._turn += 1
        return answer
