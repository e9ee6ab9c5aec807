# SPDX-License-Identifier: Apache-2.0
"""What an audit finds in the rows alone: INV-8, 9, 11, 16 to 20.

Each function yields sentences. What is under way is given its time, so that an
operation or a guest that is merely slow is no violation.
"""

import re
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.queries import deeds, snapshots
from trove.db.session import epoch_now
from trove.db.tables import (
    CloudThing,
    Deed,
    Event,
    Guest,
    GuestJob,
    GuestReport,
    Instance,
    Operation,
    OperationStep,
    RecycledInstance,
)
from trove.model import operations
from trove.model.states import (
    LIVE,
    JobState,
    OperationState,
    Service,
    StepState,
    Task,
    ThingState,
)

SILENT = 300.0
"""Seconds after which a taskmanager must have noticed that a guest is silent."""

MOST = 100
"""Lines of one kind that say no more than the first did."""

LATE = 15 * 60.0
"""Seconds after its time in which the recycle bin must be empty of a thing."""

GRACE = 60.0
"""Seconds that a row may be behind another: what ended a moment ago may still write."""

OVER = (OperationState.DONE, OperationState.FAILED)
HELD = (*LIVE, OperationState.STUCK)
_HASH = re.compile(r"[A-Za-z0-9+/]{48}")
_SEALED = re.compile(r"[A-Za-z0-9_=-]+")


def tokens(tx: orm.Session) -> Iterator[str]:
    """INV-8: an Idempotency-Key stands for one request, and for what it said."""
    twice = (
        sa.select(Operation.project, sa.func.count())
        .where(Operation.client_token.is_not(None))
        .group_by(Operation.project, Operation.client_token)
        .having(sa.func.count() > 1)
    )
    for project, count in tx.execute(twice):
        yield f"an Idempotency-Key of project {project} stands for {count} operations"
    for id, kind in tx.execute(
        sa.select(Operation.id, Operation.kind).where(
            Operation.client_token.is_not(None),
            Operation.body_hash.is_(None),
            Operation.sealed_hash.is_(None),
        )
    ):
        yield f"operation {id} ({kind}) has an Idempotency-Key and no hash of its body"


def stale(tx: orm.Session) -> Iterator[str]:
    """INV-9: who lost an operation wrote nothing more; what that leaves is seen."""
    about = sa.select(Operation.id, Operation.kind, Operation.state)
    held = sa.or_(Operation.owner.is_not(None), Operation.lock_key.is_not(None))
    for id, kind, state in tx.execute(about.where(Operation.state.in_(OVER), held)):
        yield f"operation {id} ({kind}) is {state}, and a worker still holds it"
    for id, kind, state in tx.execute(
        about.where(Operation.owner.is_not(None), Operation.fence < 1)
    ):
        yield f"operation {id} ({kind}) is {state}, held by a worker that has no fence"
    late = sa.select(OperationStep.operation_id, OperationStep.name).join(
        Operation, Operation.id == OperationStep.operation_id
    )
    for id, name in tx.execute(
        late.where(
            Operation.state.in_(OVER),
            OperationStep.begun_at > Operation.updated + GRACE,
        )
    ):
        yield f"step {name} of operation {id} began after the operation had ended"
    for id, name in tx.execute(
        late.where(
            Operation.state == OperationState.DONE,
            OperationStep.state != StepState.DONE,
        )
    ):
        yield f"operation {id} is done, and its step {name} is not"


def jobs(tx: orm.Session) -> Iterator[str]:
    """INV-11: a guest's job is one operation's, for that operation's instance."""
    for id, instance, method, state in tx.execute(
        sa.select(GuestJob.id, GuestJob.instance_id, GuestJob.method, GuestJob.state)
    ):
        if id.partition("/")[2].partition(".")[0] != method:
            yield f"job {id} does {method}, which is not its name"
        if state not in list(JobState):
            yield f"job {id} is {state!r}, which is no state of a job"
        owner = tx.scalar(
            sa.select(Operation.object_id).where(Operation.id == id.partition("/")[0])
        )
        if owner is not None and owner != instance:
            yield f"job {id} is at instance {instance}, its operation at {owner}"


def leftovers(tx: orm.Session) -> Iterator[str]:
    """INV-16: what a deleted instance was lent, somebody else may use; what is kept of
    it is in the recycle bin, for its time, or has backups that are snapshots of it."""
    for id, port in tx.execute(
        sa.select(Instance.id, Instance.port_id).where(
            Instance.port_id.is_not(None), Instance.deleted_at.is_not(None)
        )
    ):
        yield f"deleted instance {id} still has port {port}"
    over = RecycledInstance.reclaim_at < epoch_now() - LATE
    for id, _ in tx.execute(_recycled(over)):
        yield f"what is kept of instance {id} is kept past its time"
    for id, _ in tx.execute(_recycled(CloudThing.key.is_(None))):
        yield f"instance {id} is in the recycle bin, and its volume is not kept"
    alone = sa.and_(
        RecycledInstance.instance_id.is_(None), ~snapshots.standing(Instance.id)
    )
    for id, key in tx.execute(_recycled(alone)):
        yield f"{key} of deleted instance {id} is kept, and in no recycle bin"


def _recycled(which: sa.ColumnElement[bool]) -> sa.Select[str, str]:
    """Deleted instances that nothing is done to, of which something is kept, and what
    that is: by the bin, or by the ledger."""
    lock = sa.literal(f"{operations.INSTANCE}:", sa.String()) + Instance.id
    kept = sa.and_(
        CloudThing.owner == Instance.id, CloudThing.state == ThingState.RETAINED
    )
    return (
        sa.select(Instance.id, CloudThing.key)
        .outerjoin(RecycledInstance, RecycledInstance.instance_id == Instance.id)
        .outerjoin(CloudThing, kept)
        .outerjoin(Operation, Operation.lock_key == lock)
        .where(
            Instance.deleted_at.is_not(None),
            Operation.id.is_(None),
            sa.or_(
                RecycledInstance.instance_id.is_not(None), CloudThing.key.is_not(None)
            ),
            which,
        )
        .order_by(Instance.id)
        .limit(MOST)
    )


def secrets(tx: orm.Session) -> Iterator[str]:
    """INV-17: what must be sealed, wiped or hashed is. No sentence holds a value."""
    raw = sa.type_coerce(Operation.input, sa.Text)
    for id, kind, state, text in tx.execute(
        sa.select(Operation.id, Operation.kind, Operation.state, raw).where(
            Operation.input.is_not(None)
        )
    ):
        if state in OVER:
            yield f"operation {id} ({kind}) is {state}, and its input is not wiped"
        elif not _SEALED.fullmatch(text or ""):
            yield f"the input of operation {id} ({kind}) is not sealed"
    for id, hash in tx.execute(
        sa.select(Guest.instance_id, Guest.password_hash).where(
            Guest.password_hash.is_not(None)
        )
    ):
        if not _HASH.fullmatch(hash or ""):
            yield f"what is kept of the password of guest {id} is not a hash"


def projects(tx: orm.Session) -> Iterator[str]:
    """INV-18: an operation is of its instance's project; so is a replica's source."""
    for id, theirs, instance, ours in tx.execute(
        sa.select(Operation.id, Operation.project, Instance.id, Instance.project)
        .join(Instance, Instance.id == Operation.object_id)
        .where(
            Operation.object_type == operations.INSTANCE,
            Operation.project != Instance.project,
        )
    ):
        yield (
            f"operation {id} is of project {theirs}, its instance {instance} of {ours}"
        )
    source = orm.aliased(Instance)
    for id, origin in tx.execute(
        sa.select(Instance.id, source.id)
        .join(source, source.id == Instance.source_id)
        .where(source.project != Instance.project)
    ):
        yield f"instance {id} is a replica of {origin}, which is another project's"


def events(tx: orm.Session) -> Iterator[str]:
    """INV-19: the events of an object are numbered from one, without a gap."""
    count, last = sa.func.count(), sa.func.max(Event.seq)
    gap = sa.or_(count != last, sa.func.min(Event.seq) != 1)
    grouped = sa.select(Event.object_id, count, last).group_by(Event.object_id)
    for id, there, number in tx.execute(grouped.having(gap)):
        yield f"object {id} has {there} events, and the last is number {number}"
    yield from _endless(tx)


def _endless(tx: orm.Session) -> Iterator[str]:
    """What a guest was asked for has its end told, if only that nobody knows it."""
    late = epoch_now() - deeds.LATE - SILENT
    about = sa.select(Deed.instance_id, Deed.kind)
    for id, kind in tx.execute(
        about.where(Deed.state == deeds.ASKED, Deed.at < late).limit(MOST)
    ):
        yield f"nobody told what became of {kind} of instance {id}"


def health(tx: orm.Session) -> Iterator[str]:
    """INV-20: what is known of a guest is a known word, of a moment that has been.

    A silent guest is shown as such and is no violation; that nobody noticed it is.
    """
    reported = sa.select(Instance.id, GuestReport.service).join(
        GuestReport, GuestReport.instance_id == Instance.id
    )
    there = Instance.deleted_at.is_(None)
    words = [*Service, ""]
    for id, word in tx.execute(
        reported.where(there, GuestReport.service.not_in(words))
    ):
        yield f"the guest of instance {id} says {word!r}, which is no word for health"
    ahead = GuestReport.received_at > epoch_now() + GRACE
    for id, _ in tx.execute(reported.where(there, ahead)):
        yield f"the last report of instance {id} is of a moment that has not been"
    told = (
        sa.select(Event.object_id)
        .where(
            Event.object_id == Instance.id,
            Event.kind == "guest.silent",
            Event.at >= GuestReport.received_at,
        )
        .exists()
    )
    held = sa.exists().where(
        Operation.object_id == Instance.id, Operation.state.in_(HELD)
    )
    for id, _ in tx.execute(
        reported.where(
            there,
            Instance.task == Task.NONE,
            Instance.updated < epoch_now() - SILENT,
            GuestReport.received_at < epoch_now() - SILENT,
            ~held,
            ~told,
        )
    ):
        yield f"the guest of instance {id} is silent, and no event says so"


CHECKS = {
    8: tokens,
    9: stale,
    11: jobs,
    16: leftovers,
    17: secrets,
    18: projects,
    19: events,
    20: health,
}
"""By the number of the invariant."""
