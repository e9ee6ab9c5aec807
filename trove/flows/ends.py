# SPDX-License-Identifier: Apache-2.0
"""How an operation on an instance that stays ends: at rest, with a fault or without."""

import typing

from sqlalchemy import orm

from trove.db.queries import instances
from trove.db.session import now
from trove.flows.context import StepContext
from trove.model.states import Task
from trove.workflow.flow import Settle

Failed = typing.Callable[[StepContext, orm.Session, str], None]


def at_rest(ctx: StepContext, **columns: typing.Any) -> Settle:
    """Its task -> NONE, without a fault."""

    def work(tx: orm.Session) -> None:
        instances.move(tx, ctx.object_id, Task.NONE)
        instances.changes(tx, ctx.object_id, fault=None, updated=now(tx), **columns)

    return Settle(work)


def failed(task: Task) -> Failed:
    """The database is as its guest reports it; the fault says what did not work."""

    def work(ctx: StepContext, tx: orm.Session, fault: str) -> None:
        row = instances.get(tx, ctx.object_id)
        if row is None:
            return
        if row.task == task:  # not when a delete has come meanwhile
            instances.move(tx, row.id, Task.NONE)
        instances.changes(tx, row.id, fault=fault, fault_at=now(tx), updated=now(tx))

    return work
