# SPDX-License-Identifier: Apache-2.0
"""The process that does one job and ends: ``python -m trove.guestagent.child``.

Its words are the state directory, the configuration's directory and the job's file. It
holds the lock of jobs while it works, so that there is never a second one, whatever the
agents did that started them. All it says goes into the job's ``.out`` file.
"""

import contextlib
import fcntl
import logging
import os
import pathlib
import signal
import sys
import traceback
import types
import typing

from trove import errors
from trove.guestagent import deeds, ledger, state
from trove.guestagent.desk import Desk
from trove.guestagent.host import Host
from trove.guestagent.ledger import Outcome
from trove.guestagent.places import Places
from trove.model.states import JobState

LOG = logging.getLogger(__name__)


class JobTimeout(errors.Internal):
    """A job took longer than any job of its kind may."""

    sentence = "the job was not finished after {seconds} seconds"


class Saying(contextlib.AbstractContextManager["Saying"]):
    """Writes down how the block it guards goes, and how it ended, whatever that was."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._progress = 0
        self._trouble: str | None = None
        self._so_far: dict[str, typing.Any] | None = None
        self.result: dict[str, typing.Any] | None = None

    def progress(self, percent: int, done: str) -> None:
        """How far the job is, never less than before; what it did for it is logged."""
        LOG.info("%s (%d %%)", done, percent)
        if percent > self._progress:
            self._progress = min(percent, 99)
            self._go_on()

    def trouble(self, why: str) -> None:
        """What stands in the job's way at the moment; nothing: it is out of it."""
        if (why or None) != self._trouble:
            self._trouble = why or None
            self._go_on()

    def so_far(self, facts: dict[str, typing.Any]) -> None:
        """What the control plane must know before the job ends."""
        if facts != self._so_far:
            self._so_far = facts
            self._go_on()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: types.TracebackType | None,
    ) -> bool:
        if error is None:
            self._say(Outcome(100, JobState.DONE, None, self.result))
            return False
        if isinstance(error, errors.TroveError):
            self._say(Outcome(self._progress, JobState.FAILED, error.message[:2000]))
            return True
        if isinstance(error, OSError):
            why = f"{error.strerror or 'input or output failed'}: {error.filename}"
            self._say(Outcome(self._progress, JobState.FAILED, why[:2000]))
            return True
        # Its words may hold a secret (a driver repeats the statement): where is enough
        name = type(error).__name__
        frames = traceback.extract_tb(where)
        at = " < ".join(f"{one.name} {one.filename}:{one.lineno}" for one in frames)
        LOG.error("%s in %s", name, at)
        fault = f"the agent met an error it has no sentence for ({name})"
        self._say(Outcome(self._progress, JobState.FAILED, fault))
        return isinstance(error, Exception)

    def _go_on(self) -> None:
        self._say(Outcome(self._progress, None, self._trouble, self._so_far))

    def _say(self, outcome: Outcome) -> None:
        ledger.save_outcome(self._path, outcome)


@contextlib.contextmanager
def only_one(path: pathlib.Path) -> typing.Iterator[None]:
    """Holds the lock of jobs; waits for the child that has it."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    lock = os.open(path, flags, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def lock_of_jobs(places: Places) -> contextlib.AbstractContextManager[None]:
    """Nobody works on the guest but who holds this."""
    return only_one(places.jobs / "lock")


@contextlib.contextmanager
def at_most(seconds: int) -> typing.Iterator[None]:
    """Raises ``JobTimeout`` in the block when the time is over."""

    def ring(_signal: int, _frame: types.FrameType | None) -> None:
        raise JobTimeout(seconds=seconds)

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def carry_out(places: Places, host: Host, name: str) -> None:
    """Does the job in the file of that name, unless somebody did it meanwhile."""
    path = places.jobs / name
    out = path.with_suffix(".out")
    with lock_of_jobs(places):
        job = ledger.load(path)
        if job is None or job.over or ledger.load_outcome(out).state is not None:
            return
        deed = deeds.DEEDS[job.method]
        with Saying(out) as saying, at_most(deed.within):
            desk = Desk(places, host, saying.progress, saying.trouble)
            desk.so_far, desk.attempt = saying.so_far, job.tries
            saying.result = deed.do(desk, job.arguments)


def alone() -> None:
    """A process of its own: what it writes is root's alone to read, what it says is on
    its standard error."""
    os.umask(0o077)
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(levelname)s %(name)s %(message)s",
    )


def main(words: typing.Sequence[str] | None = None) -> int:
    """The process."""
    alone()
    state_directory, etc, name = words if words is not None else sys.argv[1:]
    if pathlib.PurePath(name).name != name:
        raise state.StateError(path=name, why="it is no name of a file")
    places = Places(state=pathlib.Path(state_directory), etc=pathlib.Path(etc))
    carry_out(places, Host(), name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
