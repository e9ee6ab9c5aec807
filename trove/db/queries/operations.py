# SPDX-License-Identifier: Apache-2.0
"""Operations, as an operator looks at them: list, show, and bring a stuck one back.

Never the input: it is sealed, and nobody's business.
"""

import dataclasses
import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.db import dialects
from trove.db.session import epoch_now
from trove.db.tables import Event, GuestJob, Operation, OperationStep
from trove.model.states import OperationState

SHOWN = tuple(
    column
    for column in sa.inspect(Operation).columns
    if column.name not in ("input", "client_token", "body_hash", "sealed_hash")
)


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """An operation's columns by name, and its steps in order."""

    operation: dict[str, typing.Any]
    steps: tuple[dict[str, typing.Any], ...]


def page(
    tx: orm.Session,
    *,
    states: typing.Sequence[str] = (),
    object_id: str | None = None,
    limit: int = 100,
) -> list[dict[str, typing.Any]]:
    """The operations changed last, newest first."""
    statement = sa.select(*SHOWN).order_by(Operation.updated.desc(), Operation.id)
    if states:
        statement = statement.where(Operation.state.in_(states))
    if object_id is not None:
        statement = statement.where(Operation.object_id == object_id)
    return [dict(row) for row in tx.execute(statement.limit(limit)).mappings()]


def of_project(
    tx: orm.Session,
    project: str,
    *,
    object_id: str | None,
    limit: int,
    after: str | None,
) -> list[dict[str, typing.Any]]:
    """A project's operations, newest first, those after the one that ``after`` names.

    Raises ``OperationNotFound`` for a marker that is none of the project's.
    """
    order = (Operation.created, Operation.id)
    statement = sa.select(*SHOWN).where(Operation.project == project)
    if object_id is not None:
        statement = statement.where(Operation.object_id == object_id)
    if after is not None:
        mine = sa.select(*order).where(
            Operation.project == project, Operation.id == after
        )
        last = tx.execute(mine).one_or_none()
        if last is None:
            raise errors.OperationNotFound(id=after)
        statement = statement.where(
            sa.or_(
                Operation.created < last.created,
                sa.and_(Operation.created == last.created, Operation.id < last.id),
            )
        )
    newest = statement.order_by(*(column.desc() for column in order)).limit(limit)
    return [dict(row) for row in tx.execute(newest).mappings()]


def job(tx: orm.Session, id: str) -> dict[str, typing.Any] | None:
    """What a guest last said of a job that it does for this operation."""
    newest = (
        sa.select(GuestJob.method, GuestJob.state, GuestJob.progress, GuestJob.result)
        .where(GuestJob.id.startswith(f"{id}/", autoescape=True))
        .order_by(GuestJob.updated.desc())
        .limit(1)
    )
    found = tx.execute(newest).mappings().first()
    return dict(found) if found else None


def events(
    tx: orm.Session, object_id: str, *, limit: int, after: int
) -> list[dict[str, typing.Any]]:
    """What happened to an object, in order, after the event of that number."""
    columns = (Event.seq, Event.kind, Event.payload, Event.request_id, Event.at)
    following = (
        sa.select(*columns)
        .where(Event.object_id == object_id, Event.seq > after)
        .order_by(Event.seq)
        .limit(limit)
    )
    return [dict(row) for row in tx.execute(following).mappings()]


def show(tx: orm.Session, id: str) -> Shown:
    """One operation and its steps; raises ``OperationNotFound``."""
    found = tx.execute(sa.select(*SHOWN).where(Operation.id == id)).mappings().first()
    if found is None:
        raise errors.OperationNotFound(id=id)
    columns = [
        column
        for column in sa.inspect(OperationStep).columns
        if column.name not in ("operation_id", "output")
    ]
    steps = tx.execute(
        sa.select(*columns)
        .where(OperationStep.operation_id == id)
        .order_by(OperationStep.seq)
    ).mappings()
    return Shown(dict(found), tuple(dict(step) for step in steps))


def retry(tx: orm.Session, id: str, within: float) -> None:
    """A stuck operation is due now, and has ``within`` seconds more to end.

    Raises ``OperationNotFound``, or ``Conflict`` when it is not stuck.
    """
    brought_back = tx.execute(
        sa.update(Operation)
        .where(Operation.id == id, Operation.state == OperationState.STUCK)
        .values(
            state=OperationState.RUNNING,
            due=epoch_now(),
            deadline=epoch_now() + within,
            attempts=0,
            updated=epoch_now(),
        )
        .execution_options(synchronize_session=False)
    )
    if not dialects.matched(brought_back):
        state = show(tx, id).operation["state"]
        raise errors.Conflict(
            f"Operation {id} is {state}; only a stuck one is retried."
        )


def close(tx: orm.Session, id: str, fault: str) -> Operation:
    """Ends a live or stuck operation as failed, whoever carries it; answers it.

    Its fence grows, so whoever carried it writes nothing more. Its input is wiped, its
    lock free. Raises ``OperationNotFound``, or ``Conflict`` when it has ended.
    """
    ended = tx.execute(
        sa.update(Operation)
        .where(
            Operation.id == id,
            Operation.state.not_in([OperationState.DONE, OperationState.FAILED]),
        )
        .values(
            state=OperationState.FAILED,
            fault=fault,
            fence=Operation.fence + 1,
            lock_key=None,
            owner=None,
            lease_until=None,
            input=None,
            updated=epoch_now(),
        )
        .execution_options(synchronize_session=False)
    )
    if not dialects.matched(ended):
        state = show(tx, id).operation["state"]
        raise errors.Conflict(f"Operation {id} has ended: it is {state}.")
    return tx.get_one(Operation, id, populate_existing=True)
