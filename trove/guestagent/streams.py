# SPDX-License-Identifier: Apache-2.0
"""Programs whose bytes run through each other, and through us: ``a | b | us``.

The end of a pipe says nothing of how those before it ended: a tool that dies in the
middle looks like one that has said all. So what was read counts only when ``finish``
has found that every one ended well (``pipefail``, for processes of our own).
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
import typing

from trove.datastores.protocol import Stage
from trove.guestagent.host import HostError, scrub, spawn
from trove.guestagent.pacing import Pacing, widen

KEPT = 64 * 1024
"""Bytes of a program's complaint that are kept: the last ones."""
END = 60.0
"""Seconds in which a program ends that has said all, or has been told all."""


class Pipe:
    """Programs, each of which reads what the one before it says; they have begun.

    ``told``: the first one is told something, and what the last one says is nobody's.
    """

    def __init__(self, stages: typing.Sequence[Stage], told: bool = False) -> None:
        self._running: list[_Running] = []
        before: typing.Any = subprocess.PIPE if told else subprocess.DEVNULL
        try:
            for stage in stages:
                last = told and len(self._running) == len(stages) - 1
                after = subprocess.DEVNULL if last else subprocess.PIPE
                self._running.append(_Running(stage, before, after))
                if not isinstance(before, int):
                    before.close()  # it is that program's now: its end is his
                before = self._running[-1].said
        except BaseException:
            self.kill()
            raise

    @property
    def source(self) -> typing.BinaryIO:
        """What the last one says."""
        return typing.cast(typing.BinaryIO, self._running[-1].said)

    @property
    def sink(self) -> typing.BinaryIO:
        """What the first one is told; it is to be closed."""
        return typing.cast(typing.BinaryIO, self._running[0].process.stdin)

    def finish(self, within: float) -> None:
        """Every one has ended, and well; ``HostError`` is of the first that did not."""
        end = time.monotonic() + within
        found = [one.ended(max(0.0, end - time.monotonic())) for one in self._running]
        failed = [each for each in found if each is not None]
        # who was writing to one that died is only its victim
        culprits = [each for each in failed if each.code not in VICTIM] or failed
        if culprits:
            raise culprits[0]

    def kill(self) -> None:
        """None of them is there any more."""
        for one in self._running:
            one.kill()


@contextlib.contextmanager
def reading(*stages: Stage, within: float = END) -> typing.Iterator[typing.BinaryIO]:
    """What the last one says; when the block has read all, that all ended well.

    ``within``: seconds that they may take to end then. Whatever ends the block
    otherwise ends the programs.
    """
    pipe = Pipe(stages)
    try:
        yield pipe.source
        pipe.finish(within)
    finally:
        pipe.kill()


@contextlib.contextmanager
def writing(*stages: Stage, within: float = END) -> typing.Iterator[typing.BinaryIO]:
    """What the first one is told; after the block, that all took it and ended well."""
    pipe = Pipe(stages, told=True)
    try:
        try:
            yield pipe.sink
            pipe.sink.close()
        except BrokenPipeError:
            pipe.finish(within)  # why it broke is what a program says
            raise
        pipe.finish(within)
    finally:
        pipe.kill()


VICTIM = (-signal.SIGPIPE, 128 + signal.SIGPIPE)


class _Running:
    """A program of the pipe, and the end of what it complains about."""

    def __init__(self, stage: Stage, stdin: int | typing.BinaryIO, stdout: int) -> None:
        self._stage = stage
        self.process = spawn(stage.argv, stage.user, stdin, stdout)
        for end in (self.process.stdin, self.process.stdout):
            if end is not None:
                widen(end.fileno())
        self._pacing: Pacing | None = None
        if stage.pace is not None and self.process.stdout is not None:
            self._pacing = Pacing(self.process.stdout, stage.pace)
        self._said = bytearray()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def said(self) -> typing.IO[bytes] | None:
        """Where what it says is read."""
        return self._pacing.taken if self._pacing else self.process.stdout

    def ended(self, within: float) -> HostError | None:
        """How, if not well; after so many seconds it is ended."""
        try:
            code: int | None = self.process.wait(within)
        except subprocess.TimeoutExpired:
            code = None
        self.kill()
        if code == 0:
            return None
        said = self._said.decode("utf-8", "replace")
        return HostError(self._stage.argv[0], code, scrub(said, self._stage.hide))

    def kill(self) -> None:
        """It, and everything that it started."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._listener.join(END)
        if self._pacing:
            self._pacing.end(END)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _listen(self) -> None:
        """All of it, so that it never waits for us; the end is kept."""
        stream = typing.cast(typing.BinaryIO, self.process.stderr)
        while piece := os.read(stream.fileno(), 4096):
            self._said += piece
            del self._said[:-KEPT]
