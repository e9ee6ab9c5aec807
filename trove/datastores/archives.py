# SPDX-License-Identifier: Apache-2.0
"""How an engine's transaction log is kept until it was brought, and played again.

The log is files in a row; the place of one is a whole number, the next one's is one
more (MySQL and MariaDB: the number in a binary log's name; PostgreSQL: the number of a
segment of the write-ahead log). A file is brought when nothing more is written to it.
"""

import dataclasses
import typing

from trove import errors
from trove.datastores.protocol import Stage

PLAY = 40 * 3600.0
"""Seconds in which all of a log is played again."""


class Lost(errors.EngineFailed):
    """A piece of the log that should be there is not, and will not be."""

    sentence = "A piece of the transaction log is lost: {why}"


class Short(errors.EngineFailed):
    """The log ends before what was asked for: data would be older than they seem."""

    sentence = "The transaction log ends before {what}"


@dataclasses.dataclass(frozen=True, slots=True)
class LogFile:
    """A file of the log that nothing more is written to; ``size`` in bytes."""

    place: int
    name: str
    size: int


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """How far a log is played: all that was committed before ``until`` (seconds since
    the epoch, by the clock of who wrote it) and nothing later, or to a named point."""

    until: float | None = None
    point: str | None = None


class Log(typing.Protocol):
    """What was brought, piece by piece, for who plays it."""

    directory: str
    """Where the files of a piece are put; the engine's user reads and removes them."""

    @property
    def names(self) -> tuple[str, ...]:
        """Those that there are at the moment, in their order."""

    def more(self) -> bool:
        """The files of the next piece are there as well; False: that was all."""

    def drop(self, name: str) -> None:
        """It has been played, and is gone."""


class Archive(typing.Protocol):
    """The log of a running engine, and the way back. Every method is an *ensure*."""

    def hold(self, after: int | None) -> int:
        """Nothing that comes after this place goes by itself, also after a restart;
        None: nothing from now on. Answers the place that is held, at the most ``after``
        where that is one. ``Lost``: something has gone already."""

    def known(self, after: int) -> str:
        """What the first file after this place is known by: numbers begin anew where
        somebody resets a log, and no other file of that number says the same.
        ``Lost`` if it is not there."""

    def cut(self) -> None:
        """All that is committed is in files that nothing more is written to, and
        something was committed later."""

    def ready(self, after: int) -> list[LogFile]:
        """Those files, from the next place on, in a row; ``Lost`` if there is none."""

    def behind(self, after: int) -> int:
        """Bytes of the log that come after that place, with those of the file that is
        written at the moment."""

    def stages(self, files: typing.Sequence[LogFile]) -> tuple[Stage, ...]:
        """What says them, as a tar of their names."""

    def release(self, place: int) -> None:
        """All up to this one were brought: the engine may let them go."""

    def let_go(self) -> None:
        """Nothing is held any more."""

    def replay(
        self, work: str, words: typing.Mapping[str, str], log: Log, target: Target
    ) -> None:
        """The data directory is as it was at the target; the engine is stopped.

        It is what ``Backups.together`` made of a backup with those words, where the log
        begins at their place or before. Nobody reaches it meanwhile. ``Short``: the log
        does not go so far.
        """


def in_a_row(files: typing.Iterable[LogFile], after: int) -> list[LogFile]:
    """Those that come after a place, the next one first; ``Lost`` where one is not."""
    found = sorted((one for one in files if one.place > after), key=lambda f: f.place)
    for expected, one in enumerate(found, after + 1):
        if one.place != expected:
            raise Lost(why=f"number {expected} is not there, but {one.place} is")
    return found


def whole(files: typing.Iterable[LogFile], after: int, current: int) -> list[LogFile]:
    """All that come after a place and before the one that is written at the moment;
    ``Lost`` where one of them is not there."""
    if current <= after:
        raise Lost(why=f"it goes on with number {current} after {after}")
    found = in_a_row(files, after)
    if len(found) < current - 1 - after:
        raise Lost(why=f"number {after + len(found) + 1} is not there")
    return found
