# SPDX-License-Identifier: Apache-2.0
"""Accepts long work: one transaction, then the bell.

The idempotency look-up, the quota, the object's row, the operation and the event are
one commit (operations.md, rule 1): after it the work is carried out or ends in a
visible error, whoever dies; before it nothing has happened.
"""

import dataclasses
import time
import typing
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.actions.services import Services
from trove.context import Context
from trove.db.tables import Operation
from trove.model import operations
from trove.model.states import LIVE, OperationState
from trove.workflow import journal


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """A caller's Idempotency-Key, and what it was sent with."""

    key: str
    said: typing.Any

    @property
    def hash(self) -> str:
        """Of the canonical form, so that JSON and XML of one request are the same."""
        return journal.body_hash(self.said)


@dataclasses.dataclass(frozen=True, slots=True)
class Begun:
    """An accepted operation; ``replayed`` when an earlier request had made it."""

    operation: str
    object_id: str
    replayed: bool = False


Work = Callable[[orm.Session], tuple[str, str] | None]
"""Writes rows and opens the operation; answers (operation id, object id), or None when
there is nothing to do."""


def begin(
    services: Services, context: Context, project: str, token: Token | None, work: Work
) -> Begun | None:
    """Runs ``work`` once for a token, and rings."""

    def whole(tx: orm.Session) -> list[typing.Any] | None:
        if token is not None:
            earlier = journal.replayed(tx, project, token.key, token.hash)
            if earlier is not None:
                return [earlier.id, earlier.object_id, True]
        made = work(tx)
        return None if made is None else list(made)

    try:
        found = services.database.run(whole)
    except errors.InstanceBusy:
        # a twin (the same key, or another delete) may have been a moment faster: the
        # second look sees what it did
        found = services.database.run(whole)
    begun = None if found is None else Begun(*found)
    if begun is not None:
        services.ring(begun.operation)
    return begun


def earlier(services: Services, project: str, token: Token | None) -> Begun | None:
    """What this token has begun: the flavor or the image of then may be gone by now, so
    that this is asked before anything of a request is looked at."""
    if token is None:
        return None
    with services.database.reading() as tx:
        found = journal.replayed(tx, project, token.key, token.hash)
        return None if found is None else Begun(found.id, found.object_id, True)


def open(
    tx: orm.Session,
    context: Context,
    kind: str,
    project: str,
    id: str,
    input: dict[str, typing.Any] | None,
    token: Token | None = None,
    after: str | None = None,
    of: str = operations.INSTANCE,
    longer: float = 0.0,
) -> str:
    """An operation on an instance (``of``: on another kind of thing), and the event
    that says so."""
    if token is not None and context.project != project:
        token = None  # a key counts within its caller's project: another may have it
    operation = journal.open(
        tx,
        kind=kind,
        project=project,
        object_type=of,
        object_id=id,
        input=input,
        deadline=operations.DEADLINES[kind] + longer,
        request_id=context.request_id,
        user=context.user,
        client_token=token.key if token else None,
        body_hash=token.hash if token else None,
        after=after,
    )
    journal.event(
        tx,
        id,
        f"{kind}.accepted",
        {"operation": operation, "user": context.user},
        context.request_id,
    )
    return operation


def waited(services: Services, told: list[str]) -> str | None:
    """Until these operations are over, or for as long as a caller waits; after it the
    work goes on without him. Answers the fault of the first that failed.
    """
    for operation in told:
        services.ring(operation)
    end, pause = time.monotonic() + services.settings.patience, 0.05
    while told and time.monotonic() < end:
        time.sleep(pause)
        pause = min(0.5, pause * 1.5)
        with services.database.reading() as tx:
            states = tx.execute(
                sa.select(Operation.id, Operation.state, Operation.fault).where(
                    Operation.id.in_(told)
                )
            ).all()
        for _id, state, fault in states:
            if state in (OperationState.FAILED, OperationState.STUCK):
                return fault or "It gave no reason."
        told = [id for id, state, _ in states if state in LIVE]
    return None
