# SPDX-License-Identifier: Apache-2.0
"""Turns: a policy has a backup made, hears what became of it, and takes old ones away.

What a policy has made is a backup like any other: the same row, quota and operation.
Only such ones are taken away by themselves: what a user made, and the chain that it is
in, stays until he deletes it.
"""

import datetime
import typing

from sqlalchemy import orm

from trove import errors
from trove.actions import backups
from trove.actions.services import Services
from trove.context import Context
from trove.db.queries import backups as rows
from trove.db.queries import instances, recycled, schedules
from trove.db.session import now
from trove.db.tables import Backup, BackupPolicy, Instance
from trove.model import schedules as model
from trove.model.backups import SNAPSHOT
from trove.model.schedules import DAY, Due, Made, Plan
from trove.workflow import journal

LONGEST = 2000
"""Characters of a fault that are kept."""


def take_turn(services: Services, tx: orm.Session, id: str) -> str | None:
    """The operation of an instance whose turn has come; None: there is none.

    Backup and next turn are of one transaction: whoever else asks finds no turn.
    Raises ``errors.TroveError`` for what cannot be backed up now; then nothing is
    written, and ``put_off`` says when the next look is.
    """
    row = schedules.hold_due(tx, id)
    if row is None:
        return None
    try:
        seen = instances.seen(tx, id)
    except errors.InstanceNotFound:
        seen = None
    plan, made, moment = schedules.plan(row), schedules.made(tx, id), now(tx)
    if seen is None and id in recycled.among(tx, [id]):  # it may come back
        _next(tx, id, plan, made, moment)
        return None
    if seen is None:  # kept, for how long its backups are
        schedules.changes(tx, id, enabled=False, last_fault=None, backup_id=None)
        return None
    due = model.due(plan, made, moment)
    if due is None:
        _next(tx, id, plan, made, moment)
        return None
    context = Context(project=row.project)
    order = backups.Order(
        name(moment), id, incremental=due == Due.INCREMENT, rows=row.verify_rows
    )
    backup = backups.start(services, tx, context, seen, order, scheduled=True)
    kind = Due.FULL if backup.parent_id is None else Due.INCREMENT
    about = {"backup_id": backup.id, "last_run": moment}
    _next(tx, id, plan, made.and_now(kind, moment), moment, **about)
    return backup.operation_id


def name(moment: float) -> str:
    """What a backup of this moment is called."""
    at = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return f"scheduled-{at:%Y-%m-%dT%H:%M:%SZ}"


def _next(
    tx: orm.Session,
    id: str,
    plan: Plan,
    made: Made,
    moment: float,
    **columns: typing.Any,
) -> None:
    columns["next_due"] = model.following(plan, made, moment)
    schedules.changes(tx, id, **columns)


def put_off(tx: orm.Session, id: str, fault: errors.TroveError) -> None:
    """The turn was for nothing, and this is why; a busy instance is asked again soon.

    What only its user or the operator can change (the quota, a store) waits for the
    next turn.
    """
    row = schedules.hold_due(tx, id)
    if row is None:
        return
    moment, said = now(tx), str(fault)[:LONGEST]
    if isinstance(fault, errors.OverLimit | errors.Unsupported):
        next_due = model.following(schedules.plan(row), schedules.made(tx, id), moment)
    else:
        next_due = moment + model.AGAIN
    if row.last_fault != said:
        journal.event(tx, id, "instance.backup_missed", {"why": said})
    schedules.changes(tx, id, next_due=next_due, last_fault=said)


def note(tx: orm.Session, ended: schedules.Ended) -> None:
    """What became of its last backup; when it failed, another is tried soon."""
    row = schedules.hold(tx, ended.instance)
    if row is None or row.backup_id != ended.backup:
        return
    columns: dict[str, typing.Any] = {"backup_id": None, "last_fault": ended.fault}
    columns["faults"] = row.faults + 1 if ended.failed else 0
    if ended.failed:
        again = model.again(columns["faults"], now(tx))
        columns["next_due"] = min(row.next_due, again)
    schedules.changes(tx, ended.instance, **columns)


# -- retention ------------------------------------------------------------------------


def wanting(tx: orm.Session, page: typing.Sequence[BackupPolicy]) -> list[str]:
    """The instances for which ``retain`` may have something to do; nothing is held to
    know it, and there are as many statements however many policies."""
    kept = _kept(tx, [row.instance_id for row in page])
    moment = now(tx)
    return [
        row.instance_id
        for row in page
        if _over(row, kept[row.instance_id], moment) or kept[row.instance_id].is_last
    ]


class Kept(typing.NamedTuple):
    """What there is of an instance: itself, and its backups."""

    instance: Instance | None
    backups: list[Backup]
    recycled: bool

    @property
    def is_last(self) -> bool:
        """Whether neither the instance nor a scheduled backup of it is there, and it
        will not come back."""
        gone = self.instance is None or self.instance.deleted_at is not None
        saved = any(backup.scheduled for backup in self.backups)
        return gone and not saved and not self.recycled


def _kept(tx: orm.Session, ids: list[str]) -> dict[str, Kept]:
    found, had = instances.named(tx, ids), rows.of_all(tx, ids)
    kept = recycled.among(tx, ids)
    return {id: Kept(found.get(id), had.get(id, []), id in kept) for id in ids}


def _over(row: BackupPolicy, kept: Kept, moment: float) -> list[str]:
    """The tops of the trees of backups that nothing needs, oldest first."""
    gone = None if kept.instance is None else kept.instance.deleted_at
    # a snapshot is on what the volume is on: it stands in for no other backup
    links = [rows.link(each) for each in kept.backups if each.driver != SNAPSHOT]
    scheduled = {backup.id for backup in kept.backups if backup.scheduled}
    trees = model.over(links, scheduled, moment - row.keep_days * DAY, gone)
    return [tree[0].id for tree in trees]


def retain(tx: orm.Session, id: str) -> list[str]:
    """Takes away what is over; the operations that do.

    The policy of an instance that is gone goes with the last of its backups.
    """
    row = schedules.hold(tx, id)
    if row is None:
        return []
    rows.hold_all(tx, id)  # nothing comes to stand on what goes
    context, opened = Context(project=row.project), []
    for top in _over(row, _kept(tx, [id])[id], now(tx)):
        try:
            operation = backups.start_delete(tx, context, top, None)
        except errors.BackupBusy:  # something is being made of it: later
            continue
        if operation is not None:
            opened.append(operation)
    if _kept(tx, [id])[id].is_last:
        schedules.forget(tx, id)
    return opened
