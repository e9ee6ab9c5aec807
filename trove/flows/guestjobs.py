# SPDX-License-Identifier: Apache-2.0
"""A guest's long work: sent until it is acknowledged, then waited for.

The job's id is ``<operation>/<method>``: the agent enters it in its own ledger before
it acts, so sending it again is harmless (operations.md, rule 11). The conductor writes
what the guest says of it and wakes the operation: the waits here are a safety net.
"""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.db.session import epoch_now
from trove.db.tables import Guest, GuestJob, GuestReport
from trove.flows.context import StepContext
from trove.model.states import JobState
from trove.rpc.leaderless import SUSPECTS
from trove.workflow.flow import Wait

JOBS = typing.cast(sa.Table, GuestJob.__table__)

AGAIN = 15.0
"""Seconds after which a job that nobody acknowledged is sent once more."""

PROBE = 60.0
"""Seconds after which a job that says nothing new is asked for by sending it again."""


SOON = 120.0
"""Seconds of silence after which the cloud is asked for the guest's server."""

SILENT = 15 * 60.0
"""Seconds without a word of the guest after which what takes hours is given up."""


class JobFailed(errors.Upstream):
    """The guest tried, and could not."""

    def __init__(self, method: str, fault: str) -> None:
        super().__init__(f"The guest could not {method.replace('_', ' ')}: {fault}")


UNTAKEN = 10 * 60.0
"""Seconds after which an order that no agent took is one that it does not know."""


UPGRADE = (
    "its agent is of an older release. Upgrade the instance to the newest image of its "
    "version"
)
BUILD = (
    "the agent of its image is of an older release. Build and register a newer image "
    "of this version"
)
"""Of an instance that is new, which nobody can upgrade."""


class TooOld(errors.Upstream):
    """The guest's agent is of a release before such orders."""

    sentence = "The guest takes no order {what}: {why}, and try again."


class Silent(errors.Upstream):
    """Nothing is heard of the guest."""

    sentence = "The guest has said nothing for {minutes} minutes."


def listening(ctx: StepContext) -> dict[str, str] | Wait:
    """Its key, for secrets to be sealed for it, once it has reported.

    An agent reports when it listens: an order sent right after the enrolment would come
    before its queue is there.
    """
    with ctx.claim.database.reading() as tx:
        guest = tx.get(Guest, ctx.object_id)
        heard = tx.get(GuestReport, ctx.object_id) is not None
    if guest is None or guest.public_key is None:
        return Wait(10, "the guest has not enrolled yet")
    if not heard:
        SUSPECTS.note(ctx.object_id)
        return Wait(10, "the guest has enrolled and does not listen yet")
    return {"public_key": guest.public_key}


def carry(
    ctx: StepContext,
    method: str,
    *,
    turn: str = "",
    late: typing.Callable[[], dict[str, typing.Any]] = dict,
    **arguments: typing.Any,
) -> dict[str, typing.Any] | Wait:
    """The job's result, or Wait. Raises ``JobFailed`` when the guest says so.

    ``turn`` tells jobs of one method in one operation apart; ``late`` makes arguments
    that are of no use unless the job is sent.
    """
    id = f"{ctx.operation.id}/{method}" + (f".{turn}" if turn else "")
    row = _row(ctx, id)
    if row is not None and row.state == JobState.DONE:
        return row.result or {}
    if row is not None and row.state == JobState.FAILED:
        raise JobFailed(method, row.fault or "it gave no reason")
    if row is None or _silent(ctx, row):
        if row is None:
            ctx.write(lambda tx: _enter(tx, ctx, id, method))
        elif row.sent_at is not None:
            SUSPECTS.note(ctx.object_id)
        ctx.claim.guard(ctx.settings.call_timeout)
        getattr(ctx.guest(), method)(job=id, **arguments, **late())
        ctx.claim.later(lambda tx: _sent(tx, id))
    return Wait(10, f"the guest's job {id}")


def job(ctx: StepContext, method: str) -> GuestJob | None:
    """What is known of a job of this operation."""
    return _row(ctx, f"{ctx.operation.id}/{method}")


def announce(ctx: StepContext, method: str, turn: str) -> None:
    """A job that will be sent: from now on, its guest is waited for."""
    id = f"{ctx.operation.id}/{method}.{turn}"
    if _row(ctx, id) is None:
        ctx.write(lambda tx: _enter(tx, ctx, id, method))


def unheard(ctx: StepContext, patience: float) -> bool:
    """Whether the guest has said nothing new of a job of this operation for so long."""
    begun = sa.select(sa.func.max(JOBS.c.updated)).where(
        JOBS.c.id.startswith(f"{ctx.operation.id}/", autoescape=True)
    )
    with ctx.claim.database.reading() as tx:
        last = tx.scalar(begun)
    return last is not None and ctx.claim.now() - last > patience


def refuse_old(ctx: StepContext, method: str, what: str, why: str = UPGRADE) -> None:
    """Raises ``TooOld`` when the guest does not know of such a job: ``what`` it is for,
    or to do."""
    if untaken(ctx, method, UNTAKEN):
        raise TooOld(what=what, why=why)


def refuse_silent(ctx: StepContext) -> None:
    """Raises ``Silent`` when the guest is given up that does what takes hours."""
    if unheard(ctx, SILENT):
        raise Silent(minutes=int(SILENT / 60))


def untaken(ctx: StepContext, method: str, patience: float) -> bool:
    """Whether a job was sent for so long, and the guest never acknowledged it.

    An agent of an older release drops what it does not know, without an answer.
    """
    row = _row(ctx, f"{ctx.operation.id}/{method}")
    return (
        row is not None
        and row.state == JobState.SENT
        and ctx.claim.now() - row.updated > patience
    )


def given_up(ctx: StepContext, patience: float) -> bool:
    """Whether a guest that is asked to take a thing back is waited for no more.

    It has been silent for ``patience`` seconds; sooner, if its server is lost.
    """
    if not unheard(ctx, min(SOON, patience)):
        return False
    if unheard(ctx, patience):
        return True
    found = ctx.cloud.compute.show(str(ctx.instance().server_id))
    return found is None or found.lost


def taken_back(
    ctx: StepContext, method: str, patience: float, **arguments: typing.Any
) -> Wait | None:
    """For an undo: the guest does it, cannot, or is given up."""
    try:
        done = carry(ctx, method, turn="back", **arguments)
    except JobFailed:
        return None
    return done if isinstance(done, Wait) and not given_up(ctx, patience) else None


def _row(ctx: StepContext, id: str) -> GuestJob | None:
    with ctx.claim.database.reading() as tx:
        return tx.get(GuestJob, id)


def _silent(ctx: StepContext, row: GuestJob) -> bool:
    """Whether it is time to send the job again."""
    if row.sent_at is None:
        return True
    patience = AGAIN if row.state in (JobState.SENT, JobState.LOST) else PROBE
    return ctx.claim.now() - max(row.sent_at, row.updated) > patience


def _enter(tx: orm.Session, ctx: StepContext, id: str, method: str) -> None:
    tx.execute(
        sa.insert(JOBS).values(
            id=id,
            instance_id=ctx.object_id,
            method=method,
            state=JobState.SENT,
            progress=0,
            deadline=ctx.operation.deadline,
            updated=epoch_now(),
        )
    )


def _sent(tx: orm.Session, id: str) -> None:
    """With what is written next: a job that was not said to be sent is sent again."""
    tx.execute(sa.update(JOBS).where(JOBS.c.id == id).values(sent_at=epoch_now()))
