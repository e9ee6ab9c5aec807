# SPDX-License-Identifier: Apache-2.0
"""Reports under way to the database: the last of each guest, flushed together.

A change of the service state is written at once, because somebody may wait for it:
what comes while another's is being written shares the next transaction. An unchanged
heartbeat can wait for the next flush, where many guests share one (operations.md,
Scale).
"""

import logging
import threading
import typing

from sqlalchemy import orm

from trove import errors
from trove.db.queries import reports
from trove.db.session import Database
from trove.model.operations import INSTANCE
from trove.rpc.messages import Report
from trove.workflow import journal

LOG = logging.getLogger(__name__)

BATCH = 200
"""Reports written in one transaction."""
ROOM = 50_000
"""Guests whose last word is kept in memory, the dead among them."""


class Reports:
    """The last report of each guest that is not written down yet."""

    def __init__(
        self,
        database: Database,
        bell: typing.Callable[[str], None],
        every: float = 1.0,
        room: int = ROOM,
    ) -> None:
        self._database, self._bell, self._every = database, bell, every
        self._room = room
        self._lock = threading.Lock()
        self._waiting: dict[str, Report] = {}
        self._service: dict[str, tuple[str, int]] = {}
        self._news: list[tuple[str, Report]] = []
        self._come = self._taken = 0
        self._writing = threading.Lock()
        self._ended = threading.Event()
        self._flusher = threading.Thread(target=self._run, name="reports", daemon=True)

    def start(self) -> None:
        self._flusher.start()

    def stop(self, within: float = 10.0) -> bool:
        """Writes what is waiting, and ends."""
        self._ended.set()
        if self._flusher.is_alive():
            self._flusher.join(timeout=within)
        self.flush()
        return not self._flusher.is_alive()

    def add(self, instance: str, report: Report) -> None:
        """Takes a report; one that brings a change is in the database on return."""
        with self._lock:
            last = self._waiting.get(instance)
            if last is not None and (last.boot, last.seq) >= (report.boot, report.seq):
                return
            said = (report.service, report.boot)
            changed = self._service.get(instance) != said
            if changed and len(self._service) >= self._room:
                # Nobody tells us which are deleted. Who lives is news once more.
                self._service.clear()
            self._service[instance] = said
            if not changed:
                self._waiting[instance] = report
                return
            self._waiting.pop(instance, None)
            self._news.append((instance, report))
            self._come += 1
            mine = self._come
        with self._writing:
            while self._taken < mine:  # else somebody wrote ours with theirs
                self._write_news()

    def flush(self) -> None:
        """Writes all that waits."""
        with self._lock:
            waiting = list(self._waiting.items())
            self._waiting.clear()
        for at in range(0, len(waiting), BATCH):
            self._write(waiting[at : at + BATCH])

    # -- inside --------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            try:
                self.flush()
            except errors.Unavailable as error:
                LOG.warning("reports could not be written: %s", error)
            except Exception:  # the next flush has newer reports; nothing is lost
                LOG.exception("reports could not be written")

    def _write_news(self) -> None:
        with self._lock:
            news, self._news = self._news[:BATCH], self._news[BATCH:]
            self._taken += len(news)
        try:
            self._write(news)
        except Exception:  # not lost: with the next flush, unless newer ones wait
            with self._lock:
                for instance, report in news:
                    self._waiting.setdefault(instance, report)
            raise

    def _write(self, entries: list[tuple[str, Report]]) -> None:
        def work(tx: orm.Session) -> list[str]:
            changed = reports.record_all(tx, entries)
            woken = (journal.wake_object(tx, INSTANCE, id) for id in changed)
            return [operation for operation in woken if operation]

        for operation in self._database.run(work):
            self._bell(operation)
