# SPDX-License-Identifier: Apache-2.0
"""What a job brings its parts by: signed requests, some at a time.

The process of a job has no connection to the broker; the agent has one. So what comes
for a job lies sealed in a file beside the job's own, the newest in the place of the one
before, and a pipe wakes whoever waits for it. An agent that dies in between loses
nothing: the control plane gives it again.
"""

import contextlib
import dataclasses
import errno
import os
import pathlib
import select
import threading
import time
import typing

from trove import errors
from trove.guestagent import files
from trove.storage.vault import carry
from trove.storage.vault.protocol import LIST, Signed

PATIENCE = 900.0
"""Seconds that a part waits for a request to be granted, or for a store to answer."""
CARRY = 120.0
"""Seconds for a part to be brought, or fetched."""
LEFT = 12
"""Requests that are still good for parts to come when the next are asked for."""
PAUSE, LONGEST = 0.5, 30.0
"""Seconds between two tries at a store that is away, twice as long each time."""

Got = typing.TypeVar("Got")
Unseal = typing.Callable[[str], dict[str, typing.Any]]


class NotGranted(errors.Unavailable):
    """Nothing came that lets a part be brought."""

    sentence = "nothing was granted to bring part {number} by, for {seconds} seconds"


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """Requests for parts from ``first`` on, of that attempt at a job. A later one has
    a larger ``serial``."""

    serial: int
    first: int
    requests: tuple[Signed, ...]
    attempt: int = 1
    over: bool = False
    """Nothing will be granted any more, to any attempt."""
    authorities: str = ""
    """CA certificates that the store may have beside those of the image. A control
    plane of an older release names none."""

    @classmethod
    def of(cls, said: dict[str, typing.Any]) -> "Grant":
        """As the control plane sealed it."""
        try:
            requests = tuple(
                Signed(str(url), {str(k): str(v) for k, v in dict(headers).items()})
                for url, headers in said["requests"]
            )
            serial, first = int(said["serial"]), int(said["first"])
            attempt, over = int(said.get("attempt", 1)), bool(said.get("over"))
            authorities = str(said.get("authorities", ""))
            return cls(serial, first, requests, attempt, over, authorities)
        except (KeyError, TypeError, ValueError):
            raise errors.Invalid(why="the sealed part grants nothing") from None

    @property
    def end(self) -> int:
        """The first part that it is not for."""
        return self.first + len(self.requests)

    def request(self, number: int) -> Signed | None:
        """The one for a part, if it has it."""
        return self.requests[number - self.first] if self.has(number) else None

    def has(self, number: int) -> bool:
        """Whether it is for that part."""
        return self.first <= number < self.end


def give(path: pathlib.Path, sealed: str) -> None:
    """The agent's side: this is what counts now; wakes the job, if one waits."""
    files.write(path, sealed.encode(), mode=0o600)
    try:
        pipe = os.open(_pipe(path), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENXIO):
            return  # nobody waits: who comes reads the file
        raise
    try:
        # it has been woken often enough; or it ended since the pipe was opened
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(pipe, b"!")
    finally:
        os.close(pipe)


class GivenUp(errors.Conflict):
    """The control plane has no use for the job any more."""

    sentence = "it was given up by the control plane"


class Grants:
    """The job's side. Several threads may ask."""

    def __init__(
        self,
        path: pathlib.Path,
        unseal: Unseal,
        wanted: typing.Callable[[int | None], None] = lambda number: None,
        patience: float = PATIENCE,
        attempt: int = 1,
        own: typing.Sequence[Grant] = (),
    ) -> None:
        """``wanted`` is told which part nothing is granted for yet, a little before it
        is waited for; None: all that is needed is. ``own``: of the job's order."""
        self._path, self._unseal = path, unseal
        self._want, self._patience = wanted, patience
        self._attempt, self._own = attempt, own
        self._changed = threading.Condition()
        self._watched = False
        with contextlib.suppress(FileExistsError):
            os.mkfifo(_pipe(path), 0o600)
        # both ends: it never looks ended, and is there before the file is read
        self._pipe = os.open(_pipe(path), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def close(self) -> None:
        """Nothing that was granted stays on the disk."""
        os.close(self._pipe)
        for path in (self._path, _pipe(self._path)):
            path.unlink(missing_ok=True)

    def wanted(self) -> None:
        """Raises ``GivenUp`` when nobody has a use for the job any more."""
        with self._changed:
            self._newest(LIST)

    def put(self, number: int, /, *pieces: bytes) -> None:
        """Brings a part, however often that takes; in ``patience`` seconds at most.

        One that is there already is this job's own, of a try whose answer was lost: the
        control plane compares what it is.
        """

        def bring(request: Signed, authorities: str) -> None:
            with contextlib.suppress(carry.Taken):
                carry.put(request, pieces, CARRY, authorities=authorities)

        self._carry(number, bring)

    def get(self, number: int, size: int) -> bytes:
        """Fetches an object of so many bytes, as patiently."""

        def fetch(request: Signed, authorities: str) -> bytes:
            return carry.get(request, size, CARRY, authorities=authorities)

        return self._carry(number, fetch)

    def _carry(self, number: int, ask: typing.Callable[[Signed, str], Got]) -> Got:
        until, serial, pause = time.monotonic() + self._patience, 0, PAUSE
        while True:
            grant = self._of(number, serial, until)
            try:
                request = typing.cast(Signed, grant.request(number))
                return ask(request, grant.authorities)
            except errors.Forbidden:
                serial = grant.serial  # it has ended: another one is on its way
            except errors.Unavailable:
                if time.monotonic() + pause > until:
                    raise
                time.sleep(pause)
                pause = min(LONGEST, 2 * pause)

    def _of(self, number: int, serial: int, until: float) -> Grant:
        """One that is newer than ``serial``, and has the part."""
        with self._changed:
            while True:
                found = self._newest(number)
                if found and found.serial > serial:
                    few = LIST > number >= found.end - LEFT
                    self._want(found.end if few else None)
                    return found
                self._want(number)
                left = until - time.monotonic()
                if left <= 0:
                    seconds = f"{self._patience:g}"
                    raise NotGranted(number=number, seconds=seconds)
                self._wait(left)

    def _wait(self, within: float) -> None:
        """Until something else counts: one of those who wait watches for all."""
        if self._watched:
            self._changed.wait(within)
            return
        self._watched = True
        self._changed.release()
        try:
            self._woken(within)
        finally:
            self._changed.acquire()
            self._watched = False
            self._changed.notify_all()

    def _newest(self, number: int) -> Grant | None:
        """The last one for that part."""
        text = files.text(self._path)
        said = [Grant.of(self._unseal(text))] if text is not None else []
        if any(each.over for each in said):
            raise GivenUp()
        mine = [
            each
            for each in (*said, *self._own)
            if each.attempt == self._attempt and each.has(number)
        ]
        return max(mine, key=lambda each: each.serial, default=None)

    def _woken(self, within: float) -> None:
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        if poll.poll(within * 1000):
            os.read(self._pipe, 4096)


def _pipe(path: pathlib.Path) -> pathlib.Path:
    return path.with_suffix(".wake")
