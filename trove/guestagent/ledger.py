# SPDX-License-Identifier: Apache-2.0
"""The ledger of jobs on disk: what was asked, whether it was done, what came of it.

A job is two files: ``<id>.job``, which only the agent writes, and ``<id>.out``, which
only the job's own child writes. Each is replaced in one durable move, so a crash on any
line leaves a ledger that says the truth or the truth of a moment before; since every
deed is an *ensure*, that is enough.
"""

import dataclasses
import hashlib
import json
import logging
import pathlib
import threading
import time
import typing
import urllib.parse

from trove import errors
from trove.guestagent import files, state
from trove.model.states import JobState
from trove.rpc.messages import JobReport

LOG = logging.getLogger(__name__)

KEEP = 7 * 24 * 3600.0
"""Seconds for which an ended job is remembered. After that its id is still known: a
command that somebody kept, and sends again, is refused."""

REPEAT = 120.0
"""Seconds for which each report repeats that a job ended. Whoever still waits for it
after that sends the job again, and is told again."""

SHOWN = 16
"""The most jobs one report carries."""

OWN = "boot/"
"""How the ids of the agent's own jobs begin; the control plane never hears of them."""

ENDED = (JobState.DONE, JobState.FAILED)


@dataclasses.dataclass(frozen=True, slots=True)
class Child:
    """A process, told from another that got its number later."""

    pid: int
    start: int
    """Clock ticks from the kernel's boot to the process's start."""
    kernel: str
    """The kernel's boot id."""


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """One job. ``arguments`` are empty once it has ended: nothing sealed stays."""

    id: str
    number: int
    method: str
    state: str
    arguments: dict[str, typing.Any] = dataclasses.field(default_factory=dict)
    progress: int = 0
    fault: str | None = None
    result: dict[str, typing.Any] | None = None
    tries: int = 0
    ended: float | None = None
    acknowledged: bool = False
    child: Child | None = None

    @property
    def over(self) -> bool:
        """Whether its outcome is final."""
        return self.state in ENDED

    def report(self) -> JobReport:
        """What the control plane is told."""
        return JobReport(self.id, self.state, self.progress, self.fault, self.result)


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What a child wrote: how far it is and, at its end, what came of it."""

    progress: int = 0
    state: str | None = None
    fault: str | None = None
    result: dict[str, typing.Any] | None = None


def file_name(id: str) -> str:
    """A job's id as one safe file name: ids hold slashes."""
    name = urllib.parse.quote(id, safe="")
    if len(name) > 180:
        name = name[:100] + "-" + hashlib.sha256(id.encode()).hexdigest()
    return name.replace(".", "%2E")


def load(path: pathlib.Path) -> Job | None:
    """The job in a file, or None when there is no such file."""
    data = state.load_json(path)
    if data is None:
        return None
    try:
        child = Child(**data["child"]) if data.get("child") else None
        return Job(**{**data, "child": child})
    except (TypeError, KeyError):
        raise state.StateError(path=path, why="it is no job") from None


def load_outcome(path: pathlib.Path) -> Outcome:
    """What the child wrote so far; nothing, if it wrote nothing."""
    data = state.load_json(path)
    try:
        return Outcome(**(data or {}))
    except TypeError:
        raise state.StateError(path=path, why="it is no outcome") from None


def save_outcome(path: pathlib.Path, outcome: Outcome) -> None:
    """The child's word, durable when this returns."""
    state.save_json(path, dataclasses.asdict(outcome))


class Old:
    """The ids of jobs that are not remembered any more, as short hashes."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        try:
            self._known = set((state.load_json(path) or {}).get("ids", ()))
        except (state.StateError, TypeError) as error:
            LOG.error("the ids of old jobs are lost: %s", error)
            self._known = set()

    def __contains__(self, id: str) -> bool:
        return _short(id) in self._known

    def add(self, ids: typing.Iterable[str]) -> None:
        """Durable when this returns."""
        new = {_short(id) for id in ids} - self._known
        if new:
            self._known |= new
            state.save_json(self._path, {"ids": sorted(self._known)})


def _short(id: str) -> str:
    return hashlib.sha256(id.encode()).hexdigest()[:24]


class Ledger:
    """All jobs this guest was ever given, until they are forgotten."""

    def __init__(
        self,
        directory: pathlib.Path,
        clock: typing.Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        self._told_until: dict[str, float] = {}
        files.directory(directory)
        self._old = Old(directory / "old.json")
        self._read_all()

    def _read_all(self) -> None:
        for path in sorted(self._directory.glob("*.job")):
            try:
                job = load(path)
            except errors.TroveError as error:
                # Cannot come from a crash of ours; the job is sent again if it matters
                LOG.error("a job of the ledger is set aside: %s", error)
                files.remove_tree(path.with_suffix(".bad"))
                files.rename(path, path.with_suffix(".bad"))
                continue
            if job is None:
                continue
            if job.over and job.id.startswith(OWN):
                self._forget(job)  # of an earlier boot
            else:
                self._jobs[job.id] = job
                self._tell(job.id)  # its end may not have been heard

    def _tell(self, id: str) -> None:
        self._told_until[id] = self._clock() + REPEAT

    def path(self, id: str) -> pathlib.Path:
        """Where a job is written down."""
        return self._directory / f"{file_name(id)}.job"

    def out(self, id: str) -> pathlib.Path:
        """Where a job's child writes what came of it."""
        return self._directory / f"{file_name(id)}.out"

    def granted(self, id: str) -> pathlib.Path:
        """Where it lies what a job may carry by."""
        return self._directory / f"{file_name(id)}.grant"

    # -- what the agent is asked

    def accept(
        self, id: str, method: str, arguments: dict[str, typing.Any]
    ) -> tuple[Job, bool]:
        """Enters a job; (the job, whether it is new). The same id is one job.

        A job that ended and is sent again is reported again: its end was not heard.
        A new job says that the ends of those before it were.
        """
        with self._lock:
            known = self._jobs.get(id)
            if known is not None:
                self._tell(id)
                if known.acknowledged:
                    known = self._save(dataclasses.replace(known, acknowledged=False))
                return known, False
            if id in self._old:
                raise errors.Clash(what="A job with the id", id=id)
            for job in list(self._jobs.values()):
                if job.over and not id.startswith(OWN):
                    self.acknowledge(job.id)
            number = 1 + max((job.number for job in self._jobs.values()), default=0)
            job = Job(id, number, method, JobState.SENT, arguments)
            return self._save(job), True

    def get(self, id: str) -> Job | None:
        """A job as it stands, with its child's latest word on its progress."""
        with self._lock:
            job = self._jobs.get(id)
        if job is None or job.state != JobState.RUNNING:
            return job
        said = self.outcome(job)
        return dataclasses.replace(job, progress=said.progress, result=said.result)

    def acknowledge(self, id: str) -> None:
        """The control plane knows how it ended: it is not reported any more."""
        with self._lock:
            job = self._jobs.get(id)
            if job is not None and job.over and not job.acknowledged:
                self._save(dataclasses.replace(job, acknowledged=True))

    def reports(self) -> tuple[JobReport, ...]:
        """The jobs a heartbeat speaks of: those under way, and unheard ends."""
        moment = self._clock()
        with self._lock:
            spoken = [
                job.id
                for job in sorted(self._jobs.values(), key=lambda job: job.number)
                if not job.id.startswith(OWN)
                and not (job.over and (job.acknowledged or self._told(job, moment)))
            ]
        found = [self.get(id) for id in spoken[-SHOWN:]]
        return tuple(job.report() for job in found if job is not None)

    def _told(self, job: Job, moment: float) -> bool:
        """Whether its end was repeated long enough."""
        return self._told_until.get(job.id, 0) < moment

    def last(self, method: str) -> Job | None:
        """The newest job of a method."""
        with self._lock:
            found = [job for job in self._jobs.values() if job.method == method]
        return max(found, key=lambda job: job.number, default=None)

    def current(self) -> Job | None:
        """The job that is being done, if any."""
        with self._lock:
            found = [job for job in self._jobs.values() if job.state == "running"]
        return min(found, key=lambda job: job.number, default=None)

    def trouble(self) -> str:
        """What stands in the way of the job that is being done, by its child's word."""
        job = self.current()
        return (self.outcome(job).fault or "") if job is not None else ""

    # -- what the worker does

    def next(self) -> Job | None:
        """The first job that has not ended; one under way when an agent died leads."""
        with self._lock:
            found = [job for job in self._jobs.values() if not job.over]
        order = {JobState.RUNNING: 0, JobState.LOST: 1}
        return min(
            found,
            key=lambda job: (order.get(JobState(job.state), 2), job.number),
            default=None,
        )

    def outcome(self, job: Job) -> Outcome:
        """What the job's child said last."""
        try:
            return load_outcome(self.out(job.id))
        except state.StateError as error:
            LOG.error("job %s: %s", job.id, error)
            return Outcome()

    def begin(self, job: Job) -> Job:
        """One more try; what an earlier one said does not count."""
        files.remove(self.out(job.id))
        return self._save(
            dataclasses.replace(
                job, state=JobState.RUNNING, tries=job.tries + 1, child=None
            )
        )

    def started(self, job: Job, child: Child) -> Job:
        """Its child has this process."""
        return self._save(dataclasses.replace(job, child=child))

    def lost(self, job: Job) -> Job:
        """Its child died without a word; it will be tried again."""
        return self._save(dataclasses.replace(job, state=JobState.LOST, child=None))

    def finish(self, job: Job, outcome: Outcome) -> Job:
        """Its end, for good; the arguments, with all that was sealed, are gone."""
        self._tell(job.id)
        files.remove(self.granted(job.id))
        return self._save(
            dataclasses.replace(
                job,
                state=outcome.state or JobState.FAILED,
                progress=100 if outcome.state == JobState.DONE else outcome.progress,
                fault=outcome.fault,
                result=outcome.result,
                arguments={},
                child=None,
                ended=self._clock(),
            )
        )

    def prune(self) -> int:
        """Forgets what ended long ago; how many jobs that were."""
        before = self._clock() - KEEP
        with self._lock:
            old = [
                job
                for job in self._jobs.values()
                if job.over and (job.ended or 0) < before
            ]
            self._old.add(job.id for job in old if not job.id.startswith(OWN))
            for job in old:
                self._forget(job)
                del self._jobs[job.id]
        return len(old)

    def _forget(self, job: Job) -> None:
        files.remove(self.out(job.id))
        files.remove(self.path(job.id))
        self._told_until.pop(job.id, None)

    def _save(self, job: Job) -> Job:
        with self._lock:
            data = dataclasses.asdict(job)
            state.save_json(self.path(job.id), json.loads(json.dumps(data)))
            self._jobs[job.id] = job
        return job
