# SPDX-License-Identifier: Apache-2.0
"""What a taskmanager does every minute or so: silent guests, lost ends, old rows,
and certificates that are about to end.

Every taskmanager does it; each deed is harmless when two do it at once.
"""

import logging
import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove.actions.deeds import tell
from trove.db.queries import deeds, reports, tokens
from trove.db.session import Database, epoch_now, now
from trove.db.tables import Deed, Instance, Operation, OperationStep
from trove.model.states import OperationState, Task
from trove.taskmanager.endings import DAYS, Endings
from trove.workflow import journal

LOG = logging.getLogger(__name__)

DAY = 24 * 3600.0
BATCH = 500


class Housekeeping:
    """``round`` is called by a periodic part; the reaper has its own pace.

    ``keep`` is in days: so long an ended operation stays readable, and its
    Idempotency-Key valid. ``warn``: how many days before the end of a certificate that
    a user brought he is told.
    """

    def __init__(
        self,
        database: Database,
        *,
        silent_after: float = 90.0,
        keep: int = 30,
        warn: typing.Sequence[int] = DAYS,
    ) -> None:
        self._database = database
        self._silent_after, self._keep = silent_after, keep * DAY
        self._silent: set[str] = set()
        self._endings = Endings(database, warn)

    def round(self) -> None:
        """All of it, once."""
        self.look_for_silence()
        self.end_what_was_left()
        self._endings.round()
        self.forget_the_old()

    def look_for_silence(self) -> None:
        """One event when a guest falls silent, one when it speaks again."""

        def work(tx: orm.Session) -> set[str]:
            late = reports.silent(tx, self._silent_after, BATCH)
            silent = set(
                tx.scalars(
                    sa.select(Instance.id).where(
                        Instance.id.in_(late),
                        Instance.deleted_at.is_(None),
                        Instance.task == Task.NONE,
                    )
                )
            )
            for instance in silent - self._silent:
                journal.event(tx, instance, "guest.silent")
            for instance in self._silent - silent:
                journal.event(tx, instance, "guest.heard")
            return silent

        silent = self._database.run(work)
        for instance in silent - self._silent:
            LOG.warning("instance %s: its guest is silent", instance)
        self._silent = silent

    def end_what_was_left(self) -> None:
        """One event of each change whose end nobody was left to tell."""

        def work(tx: orm.Session) -> list[Deed]:
            left = deeds.endless(tx, BATCH)
            for deed in left:
                tell(tx, deed)
            return left

        for deed in self._database.run(work):
            LOG.warning(
                "instance %s: what became of %s is unknown", deed.instance_id, deed.kind
            )

    def forget_the_old(self) -> None:
        """Ended operations and their steps, changes that were asked for, and keys."""

        def work(tx: orm.Session) -> int:
            old = list(
                tx.scalars(
                    sa.select(Operation.id)
                    .where(
                        Operation.state.in_(
                            [OperationState.DONE, OperationState.FAILED]
                        ),
                        Operation.updated < epoch_now() - self._keep,
                    )
                    .limit(BATCH)
                )
            )
            for table, column in (
                (OperationStep, OperationStep.operation_id),
                (Operation, Operation.id),
            ):
                tx.execute(
                    sa.delete(table)
                    .where(column.in_(old))
                    .execution_options(synchronize_session=False)
                )
            before = now(tx) - self._keep
            # the key first: what it says was done is looked for in the other
            tokens.forget(tx, before, BATCH)
            deeds.forget(tx, before, BATCH)
            return len(old)

        gone = self._database.run(work)
        if gone:
            LOG.info("%d operations that ended long ago are forgotten", gone)
