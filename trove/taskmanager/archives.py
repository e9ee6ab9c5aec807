# SPDX-License-Identifier: Apache-2.0
"""Archives of transaction logs: begun, counted, granted for, and ended.

Every taskmanager looks. An archive is claimed for a look, so that two do not ask the
store the same; what either writes is by compare-and-swap, so that it would do no harm.
Nothing outside is asked within a transaction, and each deed can be done again.
"""

import contextlib
import logging
import os
import typing

from sqlalchemy import orm

from trove import errors
from trove.context import Context
from trove.datastores import registry
from trove.db.queries import archives, schedules, strategies
from trove.db.session import now
from trove.db.tables import Archive, Guest, Instance
from trove.flows import archiving
from trove.flows.context import Surroundings
from trove.model.archives import ArchiveState
from trove.rpc import codec, sealing
from trove.rpc.messages import ArchiveOrder, ArchiveReport
from trove.storage import frames
from trove.storage.backups import Names, Storage
from trove.storage.keys import Wrapped
from trove.storage.vault.protocol import LIST, Vault
from trove.taskmanager import counting, ordering
from trove.workflow import journal

LOG = logging.getLogger(__name__)

BATCH = 100
"""Of one look."""
HELD = 30.0
"""Seconds after which another looks, if who did never came back."""
LOOK = 60.0
"""Seconds between two looks at one of which nothing is heard."""
SOON = 10.0
"""Seconds until the next look at a store that did not have everything yet."""
MISSED = 600.0
"""Seconds after which what the store does not have will not come; of a store that was
asked all the while: one that comes back may be late with its lists."""


class Archives:
    """``round`` is called by a periodic part. ``container``: where they go of which
    nobody has said. ``every``: seconds from one segment to the next."""

    def __init__(
        self, around: Surroundings, storage: Storage, container: str, every: int
    ) -> None:
        self._database, self._guests = around.database, around.guests
        self._storage, self._container, self._every = storage, container, every
        self._authorities = around.settings.store_authorities

    def round(self) -> None:
        """Looks at those that are due, and begins those that are wanted.

        A store or a broker that is away ends it: what is left is due still.
        """
        with self._database.reading() as tx:
            found = archives.due(tx, BATCH)
        for id in found:
            self._look(id)
        self._begin_wanted()

    # -- begun ---------------------------------------------------------------------

    def _begin_wanted(self) -> None:
        able = [name for name in registry.names() if _can(name)]
        with self._database.reading() as tx:
            found = archives.wanting(tx, able, BATCH)
        for instance in found:
            self._begin(instance)

    def _begin(self, instance: Instance) -> None:
        key = os.urandom(frames.KEY)
        wrapped = self._storage.keys.wrap(instance.project, key)

        def work(tx: orm.Session) -> str | None:
            said = strategies.container(tx, instance.project, instance.id)
            id = archives.begin(
                tx,
                instance,
                driver=self._storage.driver,
                container=said or self._container,
                ring=wrapped.ring,
                key=wrapped.key,
            )
            if id is not None:
                about = {"archive": id}
                journal.event(tx, instance.id, "instance.archive_begun", about)
            return id

        if self._database.run(work) is not None:
            LOG.info("instance %s: its transaction log is archived", instance.id)

    # -- looked at -----------------------------------------------------------------

    def _look(self, id: str) -> None:
        row = self._database.run(lambda tx: archives.claim(tx, id, HELD))
        if row is None:
            return
        try:
            self._deed(row)
        except errors.Unavailable:
            if row.missed_at is not None:
                self._database.run(lambda tx: archives.changes(tx, id, missed_at=None))
            raise
        except errors.TroveError as fault:
            LOG.warning("archive %s cannot be looked after now: %s", id, fault)

    def _deed(self, row: Archive) -> None:
        if row.state == ArchiveState.OPEN:
            self._carry(row)
        elif row.state == ArchiveState.CLOSED:
            self._tell_end(row)
        else:
            self._discard(row)

    def _carry(self, row: Archive) -> None:
        """Counts what is new, and sends the guest what it needs to go on."""
        with self._database.reading() as tx:
            why, moment = archives.unwanted(tx, row), now(tx)
        report = _report(row)
        if why is not None:
            self._close(row, why, gap=False)
        elif report is not None and report.broken is not None:
            self._count_last(row, report, moment)
            self._close(row, f"The guest gave it up: {report.broken}", gap=True)
        else:
            try:
                self._go_on(row, report, moment)
            except counting.Wrong as wrong:
                self._close(row, str(wrong), gap=True)

    def _go_on(self, row: Archive, report: ArchiveReport | None, moment: float) -> None:
        with self._vault(row) as vault:
            if row.ordered_at is None:
                vault.ensure()
            waiting = counting.following(row, report, moment)
            found = counting.there(vault, _names(row), waiting)
            missed = len(found) < len(waiting)
            since = _missed(row, bool(found), moment) if missed else None
            columns: dict[str, typing.Any] = {"missed_at": since}
            segments = [counting.row_of(one) for one in found]
            counted = self._database.run(lambda tx: self._counted(tx, row, segments))
            if counted or ordering.due(row, report, moment):
                columns |= self._order(vault, counted or row, report)
        pause = SOON if missed else LOOK
        self._database.run(lambda tx: archives.rest(tx, row, pause, **columns))

    def _count_last(self, row: Archive, report: ArchiveReport, moment: float) -> None:
        """What was brought before it was given up restores, as far as it is there.

        A store that is away is waited for: without one no other archive begins."""
        try:
            waiting = counting.following(row, report, moment)
            with self._vault(row) as vault:
                found = counting.there(vault, _names(row), waiting)
        except errors.Unavailable:
            raise
        except errors.TroveError as fault:
            LOG.warning("archive %s: its end is not counted: %s", row.id, fault)
            return
        segments = [counting.row_of(one) for one in found]
        self._database.run(lambda tx: self._counted(tx, row, segments))

    def _counted(
        self, tx: orm.Session, row: Archive, segments: list[dict[str, typing.Any]]
    ) -> Archive | None:
        """The row behind these; None: nothing was counted. With the first one it is
        known where the log begins: a full backup is due for it to be of use."""
        if not archives.count(tx, row, segments):
            return None
        if row.segments == 0:
            schedules.hasten(tx, row.instance_id)
        return archives.get(tx, row.id)

    def _order(
        self, vault: Vault, row: Archive, report: ArchiveReport | None
    ) -> dict[str, typing.Any]:
        """Sealed for the guest: the key, and requests for what comes next; what is
        known of it from then on."""
        with self._database.reading() as tx:
            guest, moment = tx.get(Guest, row.instance_id), now(tx)
        if guest is None or guest.public_key is None:
            return {}  # it has not enrolled again: its server is built anew
        key = self._storage.keys.unwrap(row.project, Wrapped(row.ring, row.key))
        first = ordering.window(row, report)
        end = min(first + ordering.TOGETHER, LIST)
        requests = [
            vault.writes(_names(row).of(counting.ATTEMPT, number), ordering.SECONDS)
            for number in range(first, end)
        ]
        grants = {
            "serial": int(moment * 1000),
            "attempt": counting.ATTEMPT,
            "first": first,
            "requests": [[signed.url, signed.headers] for signed in requests],
            "authorities": self._authorities,
        }
        sealed = sealing.seal(guest.public_key, {"key": key.hex(), "grants": [grants]})
        order = ArchiveOrder(row.id, self._every, row.segments, sealed)
        context = Context(project=row.project)
        self._guests(row.instance_id, context).archive(order=order)
        ends = moment + ordering.SECONDS
        return {"ordered_at": moment, "granted": end, "granted_until": ends}

    # -- ended ---------------------------------------------------------------------

    def _close(self, row: Archive, why: str, *, gap: bool) -> None:
        if self._database.run(lambda tx: archiving.close(tx, row, why, gap=gap)):
            level = logging.WARNING if gap else logging.INFO
            LOG.log(level, "instance %s: its archive ended: %s", row.instance_id, why)

    def _tell_end(self, row: Archive) -> None:
        """The guest lets go of the log, if there is a guest."""
        with self._database.reading() as tx:
            instance = tx.get(Instance, row.instance_id)
        if instance is not None and instance.deleted_at is None:
            context = Context(project=row.project)
            self._guests(row.instance_id, context).end_archive(archive=row.id)
        self._database.run(lambda tx: archives.rest(tx, row, None))

    def _discard(self, row: Archive) -> None:
        """Nothing of it is in the store, and then nothing is known of it."""
        with self._vault(row) as vault:
            vault.end(_names(row).prefix)
        self._database.run(lambda tx: archives.forget(tx, row.id))
        LOG.info("instance %s: an archive of its is gone", row.instance_id)

    @contextlib.contextmanager
    def _vault(self, row: Archive) -> typing.Iterator[Vault]:
        where = (row.driver, row.container, row.id)
        with contextlib.closing(self._storage.vault(*where, lambda: None)) as vault:
            yield vault


def _can(name: str) -> bool:
    return registry.get(name).can.restore_to_time


def _names(row: Archive) -> Names:
    return Names(row.project, row.id)


def _report(row: Archive) -> ArchiveReport | None:
    """The guest's last word."""
    if row.report is None:
        return None
    found: ArchiveReport = codec.decode(ArchiveReport, row.report, "report")
    return found


def _missed(row: Archive, some: bool, moment: float) -> float:
    """Since when a part is not there that the guest says that it brought."""
    since = moment if some or row.missed_at is None else row.missed_at
    if moment - since > MISSED:
        raise counting.Wrong(
            why="The store does not have what the guest says that it brought."
        )
    return since
