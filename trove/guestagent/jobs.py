# SPDX-License-Identifier: Apache-2.0
"""Runs the ledger's jobs, one after the other, each in a child process that ends.

The child gives its memory back when it is done, and it outlives the agent: an agent
that starts again finds it by its process, or finds its last word, or finds neither and
runs the job once more. Nothing is polled: a process descriptor says when a child ends.
"""

import contextlib
import logging
import os
import pathlib
import select
import sys
import threading
import typing

from trove.guestagent.host import Host
from trove.guestagent.ledger import Child, Job, Ledger, Outcome
from trove.guestagent.places import Places
from trove.model.states import JobState

LOG = logging.getLogger(__name__)

TRIES = 3
"""How often a job is run whose child dies without a word."""

KERNEL = pathlib.Path("/proc/sys/kernel/random/boot_id")

INHERITED = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONWARNINGS")
"""What of the agent's environment its children need to be the same program."""


APART = ("back_up", "export", "load_dump", "restore", "restore_chain")
"""Jobs that read or write all data: whatever they start has a share of its own."""

SHARE = (
    *("/usr/bin/systemd-run", "--scope", "--quiet", "--collect"),
    *("--slice=trove-backups.slice", "--property=CPUWeight=20"),
    *("--property=IOWeight=20", "--property=MemoryMax=512M", "--"),
)
"""A fifth of what the database gets of the processors and the disk when both want
them, and memory that none of its own goes for. It becomes the program that it starts:
the same process."""

SYSTEMD = pathlib.Path("/run/systemd/system")


def start_time(pid: int) -> int | None:
    """When a process started, by the kernel's clock; None if there is none."""
    try:
        line = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = line.rpartition(")")[2].split()  # a name may hold anything
    return None if fields[0] in "ZX" else int(fields[19])


def kernel_boot() -> str:
    """This boot of the kernel."""
    return KERNEL.read_text().strip()


class Jobs:
    """A part of the agent's process: the queue of jobs and the thread that runs it.

    ``changed`` is called, in that thread, when a job began or ended.
    """

    def __init__(
        self,
        places: Places,
        ledger: Ledger,
        host: Host,
        *,
        changed: typing.Callable[[], object] = lambda: None,
        module: str = "trove.guestagent.child",
    ) -> None:
        self._places = places
        self._ledger = ledger
        self._host = host
        self._changed = changed
        self._module = module
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stopping = False
        self._thread: threading.Thread | None = None

    # -- the part

    def start(self) -> None:
        """Takes up what an earlier agent left."""
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def stop(self, within: float) -> bool:
        """Stops waiting; a child that runs goes on, and the next agent finds it."""
        self._stopping = True
        self._ring()
        if self._thread is None:
            return True
        self._thread.join(within)
        if self._thread.is_alive():
            return False
        os.close(self._bell)
        return True

    def alive(self) -> bool:
        """Whether its thread still runs."""
        return self._thread is not None and self._thread.is_alive()

    # -- the queue

    def submit(self, id: str, method: str, arguments: dict[str, typing.Any]) -> Job:
        """Enters a job, or answers with the one of that id."""
        job, new = self._ledger.accept(id, method, arguments)
        if new:
            LOG.info("job %s: %s is entered", id, method)
            self._ring()
        return job

    def _ring(self) -> None:
        os.eventfd_write(self._bell, 1)

    def _run(self) -> None:
        while not self._stopping:
            self._ledger.prune()
            job = self._ledger.next()
            if job is None:
                self._wait()
            else:
                self.carry_out(job)

    def _wait(self, *others: int) -> None:
        """Until the bell rings or one of the other descriptors is readable."""
        poll = select.poll()
        for descriptor in (self._bell, *others):
            poll.register(descriptor, select.POLLIN)
        poll.poll()
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)

    # -- one job

    def carry_out(self, job: Job) -> None:
        """One stretch of a job: finds it ended, waits for its child, or starts one."""
        if self._settled(job):
            return
        if job.state == JobState.RUNNING:
            descriptor = self._find(job.child)
            if descriptor is not None:
                self._watch(job, descriptor)
                return
            # Its child was never started, or is gone
            job = self._ledger.lost(job)
            LOG.warning("job %s: its process is gone without a word", job.id)
        if job.tries >= TRIES:
            self._end(
                job,
                Outcome(
                    state=JobState.FAILED,
                    fault=f"its process died {job.tries} times without a word",
                ),
            )
            return
        self._begin(job)

    def _settled(self, job: Job) -> bool:
        """Whether the child has said its last word; then it is written down."""
        if job.state != JobState.RUNNING:
            return False
        outcome = self._ledger.outcome(job)
        if outcome.state is None:
            return False
        self._end(job, outcome)
        return True

    def _begin(self, job: Job) -> None:
        job = self._ledger.begin(job)
        words = [sys.executable, "-m", self._module]
        words += [str(self._places.state), str(self._places.etc)]
        words += [self._ledger.path(job.id).name]
        if job.method in APART and SYSTEMD.is_dir():
            words = [*SHARE, *words]
        env = {name: os.environ[name] for name in INHERITED if name in os.environ}
        pid = self._host.start(words, env)
        # Between these two lines an agent may die: the next one starts a second child,
        # which waits for the first at the lock of jobs and then finds its work done.
        started = start_time(pid)  # None: it has ended already
        job = self._ledger.started(job, Child(pid, started or 0, kernel_boot()))
        LOG.info("job %s: %s is under way, process %d", job.id, job.method, pid)
        self._changed()

    def _find(self, child: Child | None) -> int | None:
        """A descriptor of the child's process, if that still runs."""
        if child is None or child.kernel != kernel_boot():
            return None
        try:
            descriptor = os.pidfd_open(child.pid)
        except ProcessLookupError:
            return None
        # Looked at after the descriptor was opened: it cannot become another's now
        if start_time(child.pid) != child.start:
            os.close(descriptor)
            self._reap(child.pid)
            return None
        return descriptor

    def _watch(self, job: Job, descriptor: int) -> None:
        try:
            self._wait(descriptor)
        finally:
            os.close(descriptor)

    def _reap(self, pid: int) -> None:
        # An earlier agent's child is init's to reap
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)

    def _end(self, job: Job, outcome: Outcome) -> None:
        if job.child is not None:
            self._reap(job.child.pid)
        job = self._ledger.finish(job, outcome)
        if job.state == JobState.DONE:
            LOG.info("job %s: %s is done", job.id, job.method)
        else:
            LOG.error("job %s: %s failed: %s", job.id, job.method, job.fault)
        self._changed()
