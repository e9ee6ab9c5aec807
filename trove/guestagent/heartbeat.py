# SPDX-License-Identifier: Apache-2.0
"""The report: its sequence number, its jitter, and what makes it come at once.

It is sent each interval, and sooner when what it would say has changed: the service
state, or a job. A job's end is told together with what the database is after it: who
hears that a restart is done may act. A report that cannot be sent is dropped, and the
next one is fresh.
"""

import logging
import os
import pathlib
import random
import time
import typing

from trove import errors
from trove.guestagent import state
from trove.guestagent.health import SLOW, Watch, Working, judge
from trove.guestagent.ledger import Job, Ledger
from trove.guestagent.places import Places
from trove.rpc.messages import Report
from trove.service.looping import Looping

LOG = logging.getLogger(__name__)

GAP = 0.5
"""Seconds between two reports at the least, on the average, however often things
change.
"""

BURST = 4
"""Reports that may come at once after a while: what a job changes comes in twos and
threes.
"""

CHECK = 0.5
"""Seconds between two looks, in memory, at whether the state has changed."""

JUDGED = ("prepare", "take_up")
SERVING = (
    "back_up",
    "back_up_increment",
    "configure",
    "export",
    "grow_file_system",
    "load_dump",
    "renew_certificate",
    "change_tls",
    "forget_data",
    "apply_module",
    "remove_module",
)
"""Jobs through which the database goes on: it is looked at meanwhile."""
WHY = 1000
"""The longest reason that is reported, in characters."""

PAGE = os.sysconf("SC_PAGE_SIZE")


def resident() -> int:
    """This process's resident memory in bytes."""
    pages = pathlib.Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * PAGE


class Reporter:
    """Makes reports of what the guest's parts know.

    ``certificate`` is when the server's ends, and what is wrong with it.
    """

    def __init__(
        self,
        places: Places,
        ledger: Ledger,
        watch: Watch,
        *,
        boot: int,
        version: str,
        certificate: typing.Callable[[], tuple[str | None, str]],
    ) -> None:
        self._places = places
        self._ledger = ledger
        self._watch = watch
        self._boot = boot
        self._version = version
        self._certificate = certificate
        self._seq = 0
        self._course = state.load_course(places)
        self._was_idle = True

    @property
    def course(self) -> state.Course:
        """How far the guest has come."""
        return self._course

    def changed(self) -> bool:
        """A job began or ended: it may have brought the guest further.

        Answers whether what was seen of the database before is of no use now.
        """
        self._course = state.load_course(self._places)
        idle, was_idle = self.idle(), self._was_idle
        self._was_idle = idle
        return idle or was_idle

    def idle(self) -> bool:
        """Whether there is nothing to look at, or a job works on it."""
        if not self._course.prepared:
            return True
        job = self._ledger.current()
        if job is None or job.method in SERVING:
            return False
        return not self._ledger.trouble()

    def unseen(self) -> bool:
        """Whether the database is about to be looked at, and is not known till then."""
        if not self._course.prepared or self._watch.latest().health is not None:
            return False
        return self._ledger.current() is None

    def standing(self) -> tuple[object, ...]:
        """What a change of is reported at once."""
        service, why = self._service()
        jobs = tuple(
            (job.id, job.state, (job.result or {}).get("want"))
            for job in self._ledger.reports()
        )
        return service, bool(why), jobs

    def report(self) -> Report:
        """The next report."""
        self._seq += 1
        service, why = self._service()
        look = self._watch.latest()
        health, disk = look.health, look.disk
        return Report(
            boot=self._boot,
            seq=self._seq,
            service=str(service),
            why=why[:WHY],
            role=health.role if health else None,
            position=health.position if health else None,
            version=health.version if health else None,
            disk_used=disk.used if disk else None,
            disk_total=disk.total if disk else None,
            agent=self._version,
            rss=resident(),
            certificate_expires=self._certificate()[0],
            jobs=self._ledger.reports(),
        )

    def _service(self) -> tuple[str, str]:
        found: dict[str, Job] = {}
        for method in JUDGED:
            job = self._ledger.last(method)
            if job is not None:
                found[method] = job
        look = self._watch.latest()
        _, ending = self._certificate()
        working = Working(self._ledger.current(), self._ledger.trouble())
        return judge(self._course, look, working, found, ending)


class Heartbeat(Looping):
    """A part that sends the reports. ``send`` raises ``errors.Unavailable``."""

    name, patience = "heart", 5.0

    def __init__(
        self,
        reporter: Reporter,
        send: typing.Callable[[Report], object],
        every: float,
        *,
        clock: typing.Callable[[], float] = time.monotonic,
        pick: typing.Callable[[float, float], float] = random.uniform,
    ) -> None:
        super().__init__()
        self._reporter = reporter
        self._send = send
        self._every = every
        self._clock = clock
        self._pick = pick
        self._due = clock()
        self._full = clock()  # when as many reports may come at once as ever
        self._said: tuple[object, ...] | None = None
        self._unseen: float | None = None
        self._heard = False

    def ring(self) -> None:
        """Report now."""
        self._due = self._clock()
        super().ring()

    def wake(self) -> None:
        """Report if anything has changed."""
        super().ring()

    def _free(self) -> float:
        """The moment from which another report may be sent."""
        return self._full - (BURST - 1) * GAP

    def look(self) -> float:
        """Sends a report if one is due; seconds until it must be asked again."""
        moment = self._clock()
        standing = self._reporter.standing()
        soon = self._free() - moment
        if soon > 0:
            return soon
        waits = self._waits(moment)
        if moment < self._due and standing == self._said:
            return min(CHECK, self._due - moment)
        if waits:
            return CHECK  # the watch wakes it sooner
        self._due = moment + self._pick(self._every * 0.8, self._every * 1.2)
        self._full = max(self._full, moment) + GAP
        try:
            self._send(self._reporter.report())
            self._said = standing
            self._note(True, "")
        except errors.TroveError as error:
            self._said = standing  # the next regular report will tell it
            self._note(False, str(error))
        return min(CHECK, max(0.0, self._due - moment))

    def _waits(self, moment: float) -> bool:
        """For the look that is about to come, unless that takes too long."""
        if not self._reporter.unseen():
            self._unseen = None
            return False
        if self._unseen is None:
            self._unseen = moment
        return moment - self._unseen < SLOW

    def _note(self, heard: bool, why: str) -> None:
        """One line when the broker goes, and one when it is back."""
        if heard != self._heard:
            LOG.log(
                logging.INFO if heard else logging.WARNING,
                "reports are heard" if heard else f"reports are not heard: {why}",
            )
            self._heard = heard
