# SPDX-License-Identifier: Apache-2.0
"""What the database is found to be: looked at in a thread of its own, judged in one.

A look may hang (a database that was stopped by a signal, a device that does not
answer). Only its own thread waits for it; everybody else reads the last look, or that
this one takes too long.
"""

import dataclasses
import logging
import os
import time
import typing

from trove import errors
from trove.datastores.protocol import Engine, Health
from trove.guestagent.ledger import Job
from trove.guestagent.state import Course
from trove.model.states import JobState, Service
from trove.service.looping import Looping

LOG = logging.getLogger(__name__)

EVERY = 4.0
"""Seconds between two looks."""

SLOW = 4.0
"""Seconds after which a look that has not ended says by itself that all is not well."""

MIB = 1024 * 1024
LOW, LOW_BYTES = 0.02, 64 * MIB
"""Below this share, or this many bytes, of free space the database is read-only."""
ENOUGH, ENOUGH_BYTES = 0.05, 96 * MIB
"""Above both, it may write again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Disk:
    """The data's file system, in bytes; ``fault``: why it cannot be read."""

    used: int
    total: int
    free: int
    read_only: bool = False
    fault: str = ""

    @property
    def low(self) -> bool:
        return self.free < max(self.total * LOW, LOW_BYTES)

    @property
    def enough(self) -> bool:
        return self.free > max(self.total * ENOUGH, ENOUGH_BYTES)


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """One look at the database. ``full``: the guard has made it read-only."""

    health: Health | None = None
    disk: Disk | None = None
    full: bool = False


def look_at_disk(path: str) -> Disk:
    """The file system a path is on."""
    found = os.statvfs(path)
    # One that the kernel shut down still tells its size; it lists nothing any more.
    with os.scandir(path) as entries:
        next(entries, None)
    total = found.f_blocks * found.f_frsize
    return Disk(
        used=total - found.f_bfree * found.f_frsize,
        total=total,
        free=found.f_bavail * found.f_frsize,
        read_only=bool(found.f_flag & os.ST_RDONLY),
    )


class Watch(Looping):
    """A part that looks at the database, and guards it from a full disk.

    ``idle`` says that there is nothing to look at: it is not prepared, or a job works
    on it. ``engine`` is made by the thread that uses it. ``seen`` is called after each
    look.
    """

    name, patience = "watch", SLOW

    def __init__(
        self,
        engine: typing.Callable[[], Engine],
        data: str,
        *,
        idle: typing.Callable[[], bool],
        seen: typing.Callable[[], None] = lambda: None,
        every: float = EVERY,
        clock: typing.Callable[[], float] = time.monotonic,
        disk: typing.Callable[[str], Disk] = look_at_disk,
    ) -> None:
        super().__init__()
        self._make = engine
        self._engine: Engine | None = None
        self._data = data
        self._idle = idle
        self._seen = seen
        self._every = every
        self._clock = clock
        self._disk = disk
        self._look = Look()
        self._begun: float | None = None
        self._guarding = False

    def ring(self, *, stale: bool = False) -> None:
        """Look now; what was seen before is of no use if it is ``stale``."""
        if stale:
            self._look = Look(None, self._look.disk)
        super().ring()

    # -- looking

    def latest(self) -> Look:
        """The last look, or that the one under way takes too long."""
        look, begun = self._look, self._begun
        if begun is None or self._clock() - begun <= SLOW:
            return look
        waited = int(self._clock() - begun)
        was = look.health or Health(Service.RUNNING)
        why = f"the database has not answered for {waited} seconds"
        health = dataclasses.replace(was, state=Service.RUNNING, why=why)
        return dataclasses.replace(look, health=health)

    def look(self) -> float:
        """One look, and the guard's deed if one is due; seconds until the next."""
        self._once()
        self._seen()
        return self._every

    def _once(self) -> None:
        if self._idle():
            self._look = Look(None, self._disk_now())
            return
        self._begun = self._clock()
        try:
            if self._engine is None:
                self._engine = self._make()
            disk = self._disk_now()
            # Told at once: a database without its disk may keep the look waiting.
            self._look = dataclasses.replace(self._look, disk=disk)
            health = self._engine.health()
            if self._idle():  # a job began meanwhile: this look says nothing
                return
            if disk is not None and not disk.read_only and not disk.fault:
                self._guard(self._engine, disk, health)
            self._look = Look(health, disk, self._guarding)
        finally:
            self._begun = None

    def _disk_now(self) -> Disk | None:
        try:
            return self._disk(self._data)
        except FileNotFoundError:
            return None
        except OSError as error:
            LOG.error("the data's file system does not answer: %s", error)
            return Disk(0, 0, 0, fault=error.strerror or "unknown")

    def _guard(self, engine: Engine, disk: Disk, health: Health) -> None:
        """Acts on what it finds, not on what it did: a restart undoes the guard."""
        if health.role == "replica":
            return  # whether that writes is not for a disk to say
        self._guarding = disk.low or (self._guarding and not disk.enough)
        try:
            writes = health.state == Service.HEALTHY or health.filled
            if self._guarding and writes:
                engine.set_read_only(True)
                LOG.warning("only %d MiB are free: no more writes", disk.free // MIB)
            elif disk.enough and not writes and health.state == Service.READ_ONLY:
                engine.set_read_only(False)
                LOG.info("%d MiB are free: writes are allowed", disk.free // MIB)
        except errors.TroveError as error:
            LOG.error("the full-disk guard could not act: %s", error)


@dataclasses.dataclass(frozen=True, slots=True)
class Working:
    """The job that is being done, and what stands in its way."""

    job: Job | None = None
    trouble: str = ""


def judge(
    course: Course,
    look: Look,
    now: Working,
    last: typing.Mapping[str, Job],
    ending: str = "",
) -> tuple[str, str]:
    """The service state and its reason. ``last``: the newest job of each method.

    ``ending``: what is wrong with the server's certificate. Clients are about to refuse
    a database that is else well.
    """
    if not course.prepared:
        return _unprepared(last.get("prepare"))
    working = now.job is not None and now.job.method != "stop_database"
    health = look.health
    if health is None:
        return Service.STARTING, "a job works on it" if working else "not looked yet"
    if working and health.state not in (Service.HEALTHY, Service.READ_ONLY):
        if now.trouble:
            return health.state, now.trouble
        return Service.STARTING, health.why
    disk = look.disk
    if disk is not None and disk.fault:
        good = health.state in (Service.HEALTHY, Service.READ_ONLY)
        why = f"the data's file system fails: {disk.fault}"
        return Service.RUNNING if good else health.state, why
    if disk is not None and disk.read_only:
        return Service.READ_ONLY, "the data's file system is read-only"
    if look.full and disk is not None:
        return Service.READ_ONLY, f"the disk is full: {disk.free // MIB} MiB are free"
    if not course.run and health.state in (Service.STOPPED, Service.CRASHED):
        return Service.STOPPED, ""
    if ending and health.state == Service.HEALTHY:
        return Service.RUNNING, ending
    taken = last.get("take_up")
    if health.state != Service.HEALTHY and taken and taken.state == JobState.FAILED:
        return health.state, taken.fault or health.why
    return health.state, health.why


def _unprepared(prepare: Job | None) -> tuple[str, str]:
    if prepare is None:
        return Service.NEW, ""
    if prepare.state == JobState.FAILED:
        return Service.FAILED, prepare.fault or ""
    return Service.STARTING, "the guest is being prepared"
