# SPDX-License-Identifier: Apache-2.0
"""The journal's statements, built once: to build one costs more than to run it.

They are Core statements on the tables, their parameters given when they run. States
are literals: a list of parameters is written out anew at every execution.
"""

import functools
import typing

import sqlalchemy as sa

from trove.db.session import epoch_now
from trove.db.tables import Event, Operation, OperationStep
from trove.model.states import LIVE, OperationState

OPERATIONS = typing.cast(sa.Table, Operation.__table__)
STEPS = typing.cast(sa.Table, OperationStep.__table__)
EVENTS = typing.cast(sa.Table, Event.__table__)

Given = sa.BindParameter[typing.Any]

ID: Given = sa.bindparam("of")
FENCE: Given = sa.bindparam("mine")
LEASE: Given = sa.bindparam("lease")
OWNER: Given = sa.bindparam("by")
NAME: Given = sa.bindparam("step")
LIMIT: Given = sa.bindparam("most")
WHOSE: Given = sa.bindparam("whose")


def _literal(state: OperationState) -> sa.ColumnElement[str]:
    return sa.literal_column(f"'{state.value}'", sa.String())


IS_LIVE = OPERATIONS.c.state.in_([_literal(state) for state in LIVE])
CLAIMABLE = (
    IS_LIVE,
    OPERATIONS.c.due <= epoch_now(),
    OPERATIONS.c.lock_key.is_not(None),
    sa.or_(OPERATIONS.c.lease_until.is_(None), OPERATIONS.c.lease_until < epoch_now()),
)

DUE = (
    sa.select(OPERATIONS.c.id).where(*CLAIMABLE).order_by(OPERATIONS.c.due).limit(LIMIT)
)

TAKE = (
    sa.update(OPERATIONS)
    .where(OPERATIONS.c.id == ID, *CLAIMABLE)
    .values(
        owner=OWNER,
        fence=OPERATIONS.c.fence + 1,
        lease_until=epoch_now() + LEASE,
        state=sa.case(
            (
                OPERATIONS.c.state == _literal(OperationState.PENDING),
                _literal(OperationState.RUNNING),
            ),
            else_=OPERATIONS.c.state,
        ),
    )
)
"""Who matches the row holds it: the row's lock, and the lease, let one of two in."""

TAKEN = sa.select(Operation, epoch_now()).where(Operation.id == ID)

STEPS_SO_FAR = sa.select(
    STEPS.c.name, STEPS.c.state, STEPS.c.begun_at, STEPS.c.output, STEPS.c.attempt
).where(STEPS.c.operation_id == ID)

BEGIN = sa.insert(STEPS).values(begun_at=epoch_now(), attempt=0)

MARK = (
    sa.update(STEPS)
    .where(STEPS.c.operation_id == ID, STEPS.c.name == NAME)
    .values(
        state=sa.bindparam("now_state", type_=STEPS.c.state.type),
        output=sa.bindparam("now_output", type_=STEPS.c.output.type),
    )
)

COUNT = (
    sa.update(STEPS)
    .where(STEPS.c.operation_id == ID, STEPS.c.name == NAME)
    .values(attempt=STEPS.c.attempt + 1)
)

WAKE = (
    sa.update(OPERATIONS).where(OPERATIONS.c.id == ID, IS_LIVE).values(due=epoch_now())
)

HOLDER = sa.select(OPERATIONS.c.id).where(
    OPERATIONS.c.lock_key == sa.bindparam("lock"), IS_LIVE
)

FOLLOWER = sa.select(Operation).where(
    Operation.after == ID, Operation.state == _literal(OperationState.PENDING)
)

FIRST_EVENT = (
    sa.select(EVENTS.c.seq)
    .where(EVENTS.c.object_id == WHOSE)
    .order_by(EVENTS.c.seq)
    .limit(1)
    .with_for_update()
)

LAST_EVENT = sa.select(sa.func.max(EVENTS.c.seq)).where(EVENTS.c.object_id == WHOSE)

HAPPENED = sa.insert(EVENTS).values(at=epoch_now(), sent=False)


@functools.cache
def hold(
    columns: tuple[str, ...], only_if_wanted: bool, unless_woken: bool
) -> sa.Update:
    """Renews the lease under the fence, and sets ``columns`` with it (``new_<name>``).

    ``unless_woken``: only while ``due`` is what it was (``seen``); then it becomes
    ``pause`` seconds from now.
    """
    held = sa.update(OPERATIONS).where(
        OPERATIONS.c.id == ID, OPERATIONS.c.fence == FENCE, IS_LIVE
    )
    if only_if_wanted:
        held = held.where(OPERATIONS.c.cancel.is_(False))
    values: dict[str, typing.Any] = {
        "lease_until": epoch_now() + LEASE,
        "updated": epoch_now(),
    }
    if unless_woken:
        held = held.where(OPERATIONS.c.due == sa.bindparam("seen"))
        values["due"] = epoch_now() + sa.bindparam("pause")
    for name in columns:
        values[name] = sa.bindparam(f"new_{name}", type_=OPERATIONS.c[name].type)
    return held.values(**values)
