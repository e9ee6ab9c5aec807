# SPDX-License-Identifier: Apache-2.0
"""The names of dumps: in a container of a project's, of one export at a time.

Two exports of one name would write into each other's objects, and what is called as
something below a name may be one of its objects too. Whether one is under way say the
operations. But before there is an operation, the objects are made that a dump is
downloaded by: so long a name is held by the request that makes them, in a row of the
container's. Requests at once wait for that row; one that died holds a name for some
minutes.
"""

import dataclasses
import hashlib
import typing
import uuid

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.actions.begin import Token
from trove.actions.services import Services
from trove.db.queries import tokens
from trove.db.session import now
from trove.db.tables import ClientToken, Operation
from trove.model import operations
from trove.model.dumps import Export
from trove.model.states import LIVE, OperationState

HELD = 300.0
"""Seconds after which another request may have a name that one has not let go."""
UNENDED = (*LIVE, OperationState.STUCK)


class UnderWay(errors.Clash):
    """Another export writes below that name, or above it."""

    sentence = "An export of the name {name} into {container} is under way already."


class Held(typing.TypedDict):
    """Who is about to export, what, and since when."""

    holder: str
    name: str
    since: float


@dataclasses.dataclass(frozen=True, slots=True)
class Reserved:
    """A name that a request holds; ``holder`` is the same for one that comes again with
    its Idempotency-Key."""

    project: str
    container: str
    name: str
    holder: str
    kept: bool = True
    """Whether it is; in a rehearsal it is taken back, and was looked at only."""

    def taken(self, tx: orm.Session) -> None:
        """In the transaction that opens its operation, which holds the name from now
        on. ``UnderWay``: the request was so slow that another has it."""
        row = _row(tx, self.project, self.container)
        held = _held(row)
        if self.kept and not any(one["holder"] == self.holder for one in held):
            raise UnderWay(name=self.name, container=self.container)
        refuse_twin(tx, self.project, self.container, self.name)
        _leave(row, held, self.holder)

    def release(self, services: Services) -> None:
        """No operation came of it: nothing is left of it."""

        def work(tx: orm.Session) -> None:
            row = _row(tx, self.project, self.container)
            _leave(row, _held(row), self.holder)
            if not _held(row):
                tx.delete(row)

        services.books.run(work)


def reserve(
    services: Services, project: str, container: str, name: str, token: Token | None
) -> Reserved:
    """The name is this request's until it is let go; ``UnderWay``: it is another's."""
    holder = token.key if token else str(uuid.uuid4())

    def work(tx: orm.Session) -> None:
        row, moment = _row(tx, project, container), now(tx)
        held = [
            one
            for one in _held(row)
            if one["holder"] != holder and moment - one["since"] < HELD
        ]
        if any(overlap(one["name"], name) for one in held):
            raise UnderWay(name=name, container=container)
        refuse_twin(tx, project, container, name)
        row.answers = [*held, Held(holder=holder, name=name, since=moment)]

    # not a part of what is done once for a key: it is let go of each time
    services.books.run(work)
    return Reserved(project, container, name, holder, kept=not services.rehearsed)


def refuse_twin(tx: orm.Session, project: str, container: str, name: str) -> None:
    """Raises ``UnderWay`` if an export that has not ended has the name."""
    found = tx.scalars(
        sa.select(Operation).where(
            Operation.project == project,
            Operation.kind == operations.EXPORT,
            Operation.state.in_(UNENDED),
        )
    )
    for one in found:
        asked = Export.from_dict(one.input or {})
        if asked.place["container"] == container and overlap(asked.name, name):
            raise UnderWay(name=name, container=container)


def overlap(one: str, other: str) -> bool:
    """Whether the objects of one dump may be among those of the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _row(tx: orm.Session, project: str, container: str) -> ClientToken:
    """The container's, which nobody else has until the transaction ends. No
    Idempotency-Key is called so, for these are ASCII."""
    digest = hashlib.sha256(container.encode()).hexdigest()
    row = tokens.hold(tx, project, f"dumps§{digest}", digest)
    row.created = now(tx)  # what is not used for long is swept
    return row


def _held(row: ClientToken) -> list[Held]:
    return list(row.answers)


def _leave(row: ClientToken, held: list[Held], holder: str) -> None:
    row.answers = [one for one in held if one["holder"] != holder]
