# SPDX-License-Identifier: Apache-2.0
"""Points at which a process ends itself by SIGKILL, or stops itself: for tests alone.

A process that is run with ``TROVE_CRASH`` imports this module, and no other does. The
variable names a file. Its first line is the point that is armed::

    kill after:volumes.create:1
    stop before:compute.boot:1

``kill`` or ``stop``, before or after, a name, and the how-manieth time in one process.
Whichever process gets there first takes the line away and is signalled: so a point is
met once, by whoever does the work, and the lines after it are armed one by one. Where
``FILE.seen`` exists, every name that is passed is added to it.
"""

import dataclasses
import functools
import os
import pathlib
import signal
import threading
import time
import typing

VARIABLE = "TROVE_CRASH"

SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}

T = typing.TypeVar("T")
Call = typing.Callable[..., typing.Any]


class Points:
    """The points of one process. ``scope`` is where a write is that no step makes."""

    def __init__(
        self,
        file: str | os.PathLike[str],
        scope: str,
        end: typing.Callable[[int, int], object] = os.kill,
    ) -> None:
        self._file = pathlib.Path(file)
        self._seen = pathlib.Path(f"{file}.seen")
        self._end = end
        self._scope = scope
        self._here = threading.local()
        self._lock = threading.Lock()
        self._armed: tuple[int, int] = (0, 0)
        self._passed: dict[str, int] = {}

    # -- what is armed -------------------------------------------------------------

    def of(
        self, thing: T, name: str, methods: tuple[str, ...] = (), inside: bool = False
    ) -> T:
        """The same thing, its calls being points; ``methods``: these calls alone.

        ``inside``: what happens during a call is named after it.
        """
        return typing.cast(T, _Armed(self, thing, name, methods, inside))

    def database(self, database: T) -> T:
        """A database whose transactions are points, named after where they happen."""
        return typing.cast(T, _ArmedDatabase(self, database))

    def call(self, name: str, deed: Call) -> Call:
        """A call that is a point before and after."""

        @functools.wraps(deed)
        def passed(*args: typing.Any, **kwargs: typing.Any) -> typing.Any:
            self.reach(f"before:{name}")
            answer = deed(*args, **kwargs)
            self.reach(f"after:{name}")
            return answer

        return passed

    def within(self, name: str, deed: Call) -> Call:
        """A call that is a point, and the name of the writes that are made in it.

        It stays the name until the thread comes to another: what a step leaves to be
        written is written after it.
        """
        whole = self.call(name, deed)

        @functools.wraps(deed)
        def passed(*args: typing.Any, **kwargs: typing.Any) -> typing.Any:
            self._here.name = name
            return whole(*args, **kwargs)

        return passed

    def steps(self, flows: typing.Mapping[str, typing.Any]) -> dict[str, typing.Any]:
        """Flows whose steps are points, forward and backward."""
        return {
            kind: dataclasses.replace(
                flow, steps=tuple(self._step(kind, step) for step in flow.steps)
            )
            for kind, flow in flows.items()
        }

    def _step(self, kind: str, step: typing.Any) -> typing.Any:
        undo = step.undo and self.within(f"{kind}.undo.{step.name}", step.undo)
        do = self.within(f"{kind}.{step.name}", step.do)
        return dataclasses.replace(step, do=do, undo=undo)

    # -- what happens there --------------------------------------------------------

    @property
    def here(self) -> str:
        """Where this thread is."""
        return str(getattr(self._here, "name", self._scope))

    def reach(self, point: str) -> None:
        """This process is at a point; it may be its last."""
        with self._lock:
            if self._seen.exists():
                with self._seen.open("a") as seen:
                    seen.write(f"{point}\n")
            armed = self._line()
            if armed is None:
                return
            deed, wanted, count = armed
            if wanted != point:
                return
            self._passed[point] = self._passed.get(point, 0) + 1
            if self._passed[point] < count or not self._take():
                return
        self._end(os.getpid(), SIGNALS[deed])
        if deed == "stop":
            # It takes hold when some thread of ours has met it: not one step further.
            time.sleep(0.1)

    def _line(self) -> tuple[str, str, int] | None:
        try:
            about = self._file.stat()
            lines = self._file.read_text().splitlines()
        except FileNotFoundError:
            return None
        armed = (about.st_ino, about.st_mtime_ns)
        if armed != self._armed:
            self._armed = armed
            self._passed.clear()
        if not lines:
            return None
        deed, _, where = lines[0].partition(" ")
        point, _, count = where.rpartition(":")
        return deed, point, int(count)

    def _take(self) -> bool:
        """Whether the line is this process's: one alone can move the file away."""
        mine = self._file.with_suffix(f".{os.getpid()}")
        try:
            self._file.rename(mine)
        except FileNotFoundError:
            return False
        rest = mine.read_text().splitlines()[1:]
        if rest:
            mine.write_text("".join(f"{line}\n" for line in rest))
            mine.rename(self._file)
        else:
            mine.unlink()
        return True


class _Armed:
    """Stands for a thing, and for what it is made of."""

    def __init__(
        self,
        points: Points,
        thing: object,
        name: str,
        methods: tuple[str, ...],
        inside: bool,
    ) -> None:
        self._points, self._thing, self._name = points, thing, name
        self._methods, self._inside = methods, inside

    def __getattr__(self, name: str) -> typing.Any:
        found = getattr(self._thing, name)
        if name.startswith("_") or (self._methods and name not in self._methods):
            return found
        whole = f"{self._name}.{name}".lstrip(".")
        if callable(found):
            arm = self._points.within if self._inside else self._points.call
            return arm(whole, found)
        return _Armed(self._points, found, whole, (), self._inside)


class _ArmedDatabase:
    """Stands for a database; only what it writes is a point."""

    def __init__(self, points: Points, database: typing.Any) -> None:
        self._points, self._database = points, database

    def run(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        """One transaction, in one name with where it happens."""
        name = f"{self._points.here}.write"
        return self._points.call(name, self._database.run)(*args, **kwargs)

    def __getattr__(self, name: str) -> typing.Any:
        return getattr(self._database, name)
