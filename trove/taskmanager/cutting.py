# SPDX-License-Identifier: Apache-2.0
"""What is kept of archives: what a moment of the last days needs, and nothing else.

An archive is cut where the last backup before these days begins; one that is over goes
when they are, or when no backup in it is left. What is being restored is not touched.
First it is written down that a piece restores nothing any more, then it is deleted, and
then forgotten: whoever goes on after one that died finds the rest.
"""

import contextlib
import logging
import typing

from sqlalchemy import orm

from trove import errors
from trove.db.queries import archives, backups, schedules, segments
from trove.db.session import Database, now
from trove.db.tables import Archive
from trove.model import archives as model
from trove.model.archives import DAY, ArchiveState
from trove.model.schedules import KEEP_DAYS
from trove.storage.backups import Names, Storage
from trove.taskmanager.counting import ATTEMPT

LOG = logging.getLogger(__name__)

BATCH = 100
SEGMENTS = 500
"""That are taken away in one go."""


class Cutting:
    """``round`` is called by a periodic part."""

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database, self._storage = database, storage

    def round(self) -> None:
        """All of them, one by one; a store that is away ends it."""
        after = ""
        while True:
            with self._database.reading() as tx:
                page = archives.page(tx, BATCH, after)
            for row in page:
                self._keep(row)
            if len(page) < BATCH:
                return
            after = page[-1].id

    def _keep(self, row: Archive) -> None:
        try:
            if self._database.run(lambda tx: settle(tx, row.id)):
                LOG.info("instance %s: an archive of its is over", row.instance_id)
                return
            while self._take_away(row.id):
                pass
        except errors.Unavailable:
            raise
        except errors.TroveError as fault:
            LOG.warning("archive %s: what is old of it stays: %s", row.id, fault)

    def _take_away(self, id: str) -> bool:
        """Some of what is needless is gone; whether there may be more."""
        with self._database.reading() as tx:
            row = archives.get(tx, id)
            found = segments.needless(tx, row, SEGMENTS) if row is not None else []
            if row is None or not found:
                return False
            last = found[-1]
            following = last.number + 1
            behind = segments.parts(tx, id, following, following)
        # what came between two segments is nobody's, and goes with them
        begin = found[0].part if found[0].number else 0
        end = behind[0][0] if behind else last.part + last.count
        where = (row.driver, row.container, row.id)
        with contextlib.closing(self._storage.vault(*where, lambda: None)) as vault:
            vault.delete(prefixes(Names(row.project, id), begin, end))
        bytes = sum(part[0] for each in found for part in each.parts)
        self._database.run(lambda tx: segments.taken_away(tx, row, last.number, bytes))
        return len(found) == SEGMENTS


def prefixes(names: Names, begin: int, end: int) -> typing.Iterator[str]:
    """How the parts from one number to before another begin, in few words: a store is
    asked for each."""
    while begin < end:
        digits = 0
        while begin % 10 ** (digits + 1) == 0 and begin + 10 ** (digits + 1) <= end:
            digits += 1
        name = names.of(ATTEMPT, begin)
        yield name[: len(name) - digits]
        begin += 10**digits


def settle(tx: orm.Session, id: str) -> bool:
    """Writes down what of an archive is needed no more; True: nothing of it is."""
    row = archives.hold(tx, id)
    if row is None or row.state not in archives.KEPT:
        return False
    bases = archives.bases(tx, id)
    if backups.restoring(tx, [base.id for base in bases]) is not None:
        return False
    policy, moment = schedules.get(tx, row.instance_id), now(tx)
    days = policy.keep_days if policy is not None else KEEP_DAYS
    since = moment - days * DAY
    if row.state == ArchiveState.CLOSED and (not bases or (row.closed_at or 0) < since):
        archives.changes(tx, id, state=ArchiveState.DELETING, due=moment)
        return True
    place = model.kept_from(bases, since)
    if place is not None:
        archives.cut(tx, row, place)
    return False
