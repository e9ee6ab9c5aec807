# SPDX-License-Identifier: Apache-2.0
"""The recount: what each project uses and has reserved, from the things themselves.

Used: instances that came up and are not deleted, and backups. Reserved: instances
whose creation is not over, and what volumes and servers grow by. (INV-5: the counters
must say the same at any moment.)
"""

import collections
import dataclasses
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import dialects
from trove.db.session import Database
from trove.db.tables import Backup, Instance, Operation, Usage
from trove.model import operations, quotas
from trove.model.states import LIVE, OperationState

Counts = dict[tuple[str, str], int]


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """What a project's counter of a resource says, and what there is."""

    project: str
    resource: str
    used: int
    used_counted: int
    reserved: int
    reserved_counted: int

    @property
    def agrees(self) -> bool:
        """Whether the counter is right."""
        said = (self.used, self.reserved)
        return said == (self.used_counted, self.reserved_counted)


def used(tx: orm.Session, project: str | None = None) -> Counts:
    """``(project, resource)`` -> what is used, by the rows."""
    counts = _count(tx, Instance.was_active.is_(True), project)
    kept = sa.select(Backup.project, sa.func.count()).where(
        Backup.deleted_at.is_(None), *_of(Backup.project, project)
    )
    for owner, count in tx.execute(kept.group_by(Backup.project)):
        counts[owner, quotas.BACKUPS] += count
    return counts


def reserved(tx: orm.Session, project: str | None = None) -> Counts:
    """``(project, resource)`` -> what is reserved, by the operations."""
    coming = sa.exists().where(
        Operation.object_type == operations.INSTANCE,
        Operation.object_id == Instance.id,
        Operation.kind.in_([operations.CREATE, operations.VERIFY]),
        Operation.state.in_([*LIVE, OperationState.STUCK]),
    )
    counts = _count(tx, sa.and_(Instance.was_active.is_(False), coming), project)
    for resource, target, has in (
        (quotas.VOLUMES, Instance.volume_target, Instance.volume_size),
        (quotas.RAM, Instance.ram_target, Instance.ram),
    ):
        growing = sa.select(Instance.project, sa.func.sum(target - has)).where(
            target.is_not(None),
            Instance.deleted_at.is_(None),
            *_of(Instance.project, project),
        )
        for owner, more in tx.execute(growing.group_by(Instance.project)):
            counts[owner, resource] += int(more or 0)
    return counts


def lines(tx: orm.Session, project: str | None = None) -> list[Line]:
    """Every counter beside its recount; in one moment's transaction."""
    asked = sa.select(Usage)
    if project is not None:
        asked = asked.where(Usage.project == project)
    usage = {
        (row.project, row.resource): row
        for row in tx.scalars(asked.execution_options(populate_existing=True))
    }
    owned, coming = used(tx, project), reserved(tx, project)
    found = []
    for project, resource in sorted({*usage, *owned, *coming}):
        row = usage.get((project, resource))
        found.append(
            Line(
                project,
                resource,
                used=row.used if row else 0,
                used_counted=owned[project, resource],
                reserved=row.reserved if row else 0,
                reserved_counted=coming[project, resource],
            )
        )
    return found


def repair(database: Database, project: str) -> list[Line]:
    """Sets a project's counters to what there is; answers those that were wrong.

    It holds the counters while it counts: who changes what there is changes them in the
    same transaction, so that is counted here, or added to what is written here.
    """

    def work(tx: orm.Session) -> list[Line]:
        for resource in sorted(quotas.RESOURCES):
            dialects.insert_missing(
                tx, Usage, project=project, resource=resource, used=0, reserved=0
            )
        held = sa.select(Usage.resource).where(Usage.project == project)
        tx.execute(held.order_by(Usage.resource).with_for_update()).all()
        wrong = [line for line in lines(tx, project) if not line.agrees]
        for line in wrong:
            tx.execute(
                sa.update(Usage)
                .where(Usage.project == project, Usage.resource == line.resource)
                .values(used=line.used_counted, reserved=line.reserved_counted)
                .execution_options(synchronize_session=False)
            )
        return wrong

    return database.run(work)


def differences(tx: orm.Session) -> Iterator[str]:
    """A sentence for each counter that says otherwise; in one moment's transaction."""
    for line in lines(tx):
        for word, said, counted in (
            ("used", line.used, line.used_counted),
            ("reserved", line.reserved, line.reserved_counted),
        ):
            if said != counted:
                yield (
                    f"project {line.project} has {counted} {line.resource} {word}, "
                    f"and its counter says {said}"
                )


def _count(
    tx: orm.Session, which: sa.ColumnElement[bool], project: str | None
) -> Counts:
    counts: Counts = collections.Counter()
    for owner, ram, volume_size in tx.execute(
        sa.select(Instance.project, Instance.ram, Instance.volume_size).where(
            Instance.deleted_at.is_(None), which, *_of(Instance.project, project)
        )
    ):
        for resource, amount in quotas.cost_of_instance(ram, volume_size).items():
            counts[owner, resource] += amount
    return counts


def _of(
    column: orm.InstrumentedAttribute[str], project: str | None
) -> list[sa.ColumnElement[bool]]:
    return [] if project is None else [column == project]
