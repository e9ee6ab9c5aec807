# SPDX-License-Identifier: Apache-2.0
"""The logs of a guest: shown, switched, and brought to the owner's object store.

A log is a file that grows, and is moved away when it has become too large. What is kept
in a journal is first copied into a file of ours, so that there is one way for all. How
far a file was published is known by its inode: another one is a log that was rotated.
"""

import contextlib
import dataclasses
import json
import logging
import os
import pathlib
import stat
import threading
import time
import typing

from trove import errors
from trove.datastores.protocol import Engine, Source
from trove.guestagent import files, state, upload
from trove.guestagent.accounts import PATIENCE, Secrets, Tickets
from trove.guestagent.host import Host
from trove.guestagent.places import Places
from trove.rpc.messages import LogShown, Sealed
from trove.service.looping import Looping

LOG = logging.getLogger(__name__)

PIECE = 1_000_000
"""Bytes of one object, at the most."""
WITHIN = 20.0
"""Seconds that one publishing takes, at the most, and one object more."""
LARGEST = 64 << 20
"""Bytes of a file, before it is moved away: the disk is its owner's, for data."""
COPIED = 16 << 20
"""Bytes of a copy of a journal, on the root disk."""
MOST_LINES = 20_000
"""Of a journal, the newest ones, in one copying."""
LONGEST = 32 << 20
"""Bytes of a copy, whatever the lines are like: then the program is killed."""
EVERY = 60.0
"""Seconds between two looks at the sizes."""


@dataclasses.dataclass(slots=True)
class Course:
    """How far a log was published. ``on``: what its user said, if he did."""

    on: bool | None = None
    inode: int | None = None
    published: int = 0


class Logs(Looping):
    """The logs of one guest; a part, which moves away what has become too large."""

    name = "logs"

    def __init__(
        self,
        places: Places,
        host: Host,
        engine: typing.Callable[[], Engine],
        tickets: Tickets,
        unseal: typing.Callable[[str], Secrets],
        clock: typing.Callable[[], float] = time.time,
    ) -> None:
        super().__init__(pause=EVERY)
        self._places, self._host, self._engine = places, host, engine
        self._tickets, self._unseal, self._clock = tickets, unseal, clock
        self._one = threading.Lock()

    # -- the part

    def look(self) -> float:
        """Moves away what is too large; seconds until the next look."""
        try:
            self.turn()
        except (errors.TroveError, OSError) as error:
            LOG.warning("the logs could not be looked at: %s", error)
        return EVERY

    def turn(self) -> None:
        """Moves away the files that have become too large."""
        with contextlib.suppress(errors.Conflict):  # not prepared yet
            for name, source in self._engine().logs().items():
                if source.path is not None and _size(source.path) > LARGEST:
                    with self._one:
                        self._rotate(name, source.path)

    def _rotate(self, name: str, path: str) -> None:
        older = f"{path}.1"
        self._drop(name, older)
        self._host.rename(path, older)
        self._engine().reopen_log(name)
        LOG.info("the log %s had more than %d bytes; it begins anew", name, LARGEST)

    # -- what is asked of it

    def shown(self) -> tuple[LogShown, ...]:
        """Every log of the engine's, and the agent's own."""
        with self._taken():
            return tuple(
                self._show(name, source)
                for name, source in self._engine().logs().items()
            )

    def switch(self, ticket: str, name: str, on: bool) -> None:
        """It is written from now on, or no more; what is written stays."""
        with self._changing(ticket):
            self._source(name)
            self._switch(name, on)

    def publish(self, ticket: str, name: str, sealed: Sealed) -> None:
        """What is new of it, piece by piece; ``errors.Upstream`` if a piece is refused.

        A log that its user has not switched on is switched on.
        """
        try:
            said = self._unseal(sealed.text)
            authorities = str(said.get("authorities", ""))  # none of an older API
            target = upload.Target(str(said["url"]), str(said["query"]), authorities)
            metafile, switched = str(said["metafile"]), bool(said["switch"])
        except (KeyError, TypeError):
            raise errors.Invalid(why="the sealed part names no place") from None
        with self._changing(ticket):
            source = self._source(name)
            course = self._course(name)
            if switched and not course.on:
                self._switch(name, True)
            self._publish(name, self._file(name, source), target, metafile)

    def forget(self, ticket: str, name: str) -> None:
        """As if nothing of it had been published."""
        with self._changing(ticket):
            self._source(name)
            course = self._course(name)
            course.inode, course.published = None, 0
            self._note(name, course)

    # -- how it is done

    @contextlib.contextmanager
    def _taken(self) -> typing.Iterator[None]:
        if not self._one.acquire(timeout=PATIENCE):
            raise errors.Unavailable(what="The guest")
        try:
            yield
        finally:
            self._one.release()

    @contextlib.contextmanager
    def _changing(self, ticket: str) -> typing.Iterator[None]:
        self._tickets.take(ticket)
        with self._taken():
            yield
        self._tickets.note(ticket)

    def _source(self, name: str) -> Source:
        found = self._engine().logs().get(name)
        if found is None:
            raise errors.NotFound(what="Log", id=name)
        return found

    def _switch(self, name: str, on: bool) -> None:
        self._engine().set_log(name, on)
        course = self._course(name)
        course.on = on
        self._note(name, course)

    def _show(self, name: str, source: Source) -> LogShown:
        path, course = self._file(name, source), self._course(name)
        inode, size = _inode(path), _size(path)
        rotated = course.inode is not None and inode != course.inode
        published = 0 if rotated else min(course.published, size)
        status = _status(course, inode is not None, rotated, published, size)
        return LogShown(name, status, published, size - published)

    def _publish(
        self, name: str, path: str, target: upload.Target, metafile: str
    ) -> None:
        until = time.monotonic() + WITHIN
        course, older = self._course(name), f"{path}.1"
        whole = True
        if course.inode is not None and course.inode == _inode(older):
            whole = self._send(name, older, course, target, until)
        if whole:
            self._send(name, path, course, target, until)
        known = {"published": course.published, "inode": course.inode}
        upload.put(
            dataclasses.replace(target, url=metafile), "", json.dumps(known).encode()
        )

    def _send(
        self,
        name: str,
        path: str,
        course: Course,
        target: upload.Target,
        until: float,
    ) -> bool:
        """What is new of a file; False: there was no time for all of it."""
        file = _opened(path)
        if file is None:
            return True
        with file:
            inode = os.fstat(file.fileno()).st_ino
            if inode != course.inode:
                course.inode, course.published = inode, 0
                self._note(name, course)
            file.seek(course.published)
            while piece := _whole_lines(file.read(PIECE)):
                if time.monotonic() > until:
                    return False
                upload.put(target, f"log-{self._moment()}", piece)
                course.published += len(piece)
                self._note(name, course)
                file.seek(course.published)
        return True

    def _moment(self) -> str:
        """When a piece was sent, so that the names of pieces are in their order."""
        at = self._clock()
        whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
        return f"{whole}.{int(at % 1 * 1e6):06d}"

    def _file(self, name: str, source: Source) -> str:
        """Where its lines are; those of a journal are copied there now."""
        if source.path is not None:
            return source.path
        copy = self._places.logs / f"{name}.log"
        cursor = self._places.logs / f"{name}.cursor"
        files.directory(self._places.logs, mode=0o700)
        if _size(str(copy)) > COPIED:
            self._drop(name, str(copy))
        words = ["prlimit", f"--fsize={LONGEST}", "--"]
        words += ["journalctl", "--quiet", "--no-pager", "--output=short-iso"]
        words += [f"--unit={source.unit}", f"--cursor-file={cursor}"]
        words += [f"--lines={MOST_LINES}"]
        descriptor = os.open(
            copy, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600
        )
        with os.fdopen(descriptor, "ab") as file:
            # not through this process's memory: a busy database says much
            self._host.run(words, timeout=15, check=False, output=file)
        if _size(str(copy)) >= LONGEST:
            files.remove(cursor)  # it was killed, and wrote no new place down
        return str(copy)

    def _drop(self, name: str, path: str) -> None:
        """A file goes. The next one may be given its inode, and is another."""
        course = self._course(name)
        if course.inode is not None and course.inode == _inode(path):
            course.inode, course.published = None, 0
            self._note(name, course)
        self._host.remove(path)

    # -- what is known of a log

    def _course(self, name: str) -> Course:
        known = state.load_json(self._kept(name))
        try:
            return Course(**known) if known else Course()
        except TypeError:
            return Course()  # of another release: it is published anew

    def _note(self, name: str, course: Course) -> None:
        files.directory(self._places.logs, mode=0o700)
        state.save_json(self._kept(name), dataclasses.asdict(course))

    def _kept(self, name: str) -> pathlib.Path:
        return self._places.logs / f"{name}.json"


def _status(
    course: Course, there: bool, rotated: bool, published: int, size: int
) -> str:
    if rotated:
        return "Rotated"
    if published:
        return "Published" if published == size else "Partial"
    if course.on is False:
        return "Disabled"
    if not there:
        return "Disabled" if course.on is None else "Enabled"
    return "Ready" if size else "Enabled"


def _whole_lines(piece: bytes) -> bytes:
    """Up to the last end of a line; a line that is longer than a piece is cut."""
    end = piece.rfind(b"\n") + 1
    return piece[:end] if end or len(piece) < PIECE else piece


def _opened(path: str) -> typing.BinaryIO | None:
    """A file that is one: the engine, who writes it, may have been taken over."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with contextlib.suppress(FileNotFoundError):
        file = os.fdopen(os.open(path, flags), "rb")
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file
        file.close()
    return None


def _size(path: str) -> int:
    with contextlib.suppress(FileNotFoundError):
        return os.lstat(path).st_size
    return 0


def _inode(path: str) -> int | None:
    with contextlib.suppress(FileNotFoundError):
        return os.lstat(path).st_ino
    return None
