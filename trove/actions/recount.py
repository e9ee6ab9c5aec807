# SPDX-License-Identifier: Apache-2.0
"""The recount: what each project uses and has reserved, from the things themselves.

Used: instances that came up and are not deleted. Reserved: instances whose creation is
not over. (INV-5: the counters must say the same at any moment.)
"""

import collections
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.tables import Instance, Operation, Usage
from trove.model import operations, quotas
from trove.model.states import LIVE, OperationState

Counts = dict[tuple[str, str], int]


def used(tx: orm.Session) -> Counts:
    """``(project, resource)`` -> what is used, by the rows."""
    return _count(tx, Instance.was_active.is_(True))


def reserved(tx: orm.Session) -> Counts:
    """``(project, resource)`` -> what is reserved, by the operations."""
    coming = sa.exists().where(
        Operation.object_type == operations.INSTANCE,
        Operation.object_id == Instance.id,
        Operation.kind == operations.CREATE,
        Operation.state.in_([*LIVE, OperationState.STUCK]),
    )
    return _count(tx, Instance.was_active.is_(False), coming)


def differences(tx: orm.Session) -> Iterator[str]:
    """A sentence for each counter that says otherwise; in one moment's transaction."""
    usage = {
        (row.project, row.resource): row for row in tx.scalars(sa.select(Usage)).all()
    }
    owned, coming = used(tx), reserved(tx)
    for project, resource in sorted({*usage, *owned, *coming}):
        row = usage.get((project, resource))
        for word, said, counted in (
            ("used", row.used if row else 0, owned[project, resource]),
            ("reserved", row.reserved if row else 0, coming[project, resource]),
        ):
            if said != counted:
                yield (
                    f"project {project} has {counted} {resource} {word}, "
                    f"and its counter says {said}"
                )


def _count(tx: orm.Session, *which: sa.ColumnElement[bool]) -> Counts:
    counts: Counts = collections.Counter()
    for project, ram, volume_size in tx.execute(
        sa.select(Instance.project, Instance.ram, Instance.volume_size).where(
            Instance.deleted_at.is_(None), *which
        )
    ):
        for resource, amount in quotas.cost_of_instance(ram, volume_size).items():
            counts[project, resource] += amount
    return counts
