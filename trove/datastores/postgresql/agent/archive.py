# SPDX-License-Identifier: Apache-2.0
"""The write-ahead log as it is brought: held by a slot, cut by a switch, said by tar.

The slot is a lasting one: it holds through every restart, and an agent that is dead.
So that it never fills the volume, the engine itself lets go of the log
(``max_slot_wal_keep_size``) when half of what is free would be taken by it.
"""

import contextlib
import typing

from trove.datastores.archives import Log as Brought
from trove.datastores.archives import LogFile, Lost, Target, whole
from trove.datastores.places import Places
from trove.datastores.postgresql.agent.sql import Talk, talk
from trove.datastores.postgresql.spec import DATASTORE
from trove.datastores.protocol import Host, Stage

SLOT = "trove_archive"
LOOK = 10.0
SWITCH = 60.0
MIB = 1024 * 1024
LEAST = 1024
"""MiB that slots may hold where nobody brings the log (``config.service_layer``)."""

WHERE = """\
SELECT pg_size_bytes(current_setting('wal_segment_size'))::bigint,
left(pg_walfile_name(pg_current_wal_flush_lsn()), 8),
(pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint"""
FILES = """\
SELECT name, size FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'"""
HELD = f"""\
SELECT wal_status, restart_lsn - '0/0'::pg_lsn FROM pg_replication_slots
WHERE slot_name = '{SLOT}'"""  # noqa: S608 - ours
HOLD = f"SELECT pg_create_physical_replication_slot('{SLOT}', true)"
DROP = f"SELECT pg_drop_replication_slot('{SLOT}')"
BOUND = """\
SELECT setting::bigint FROM pg_settings WHERE name = 'max_slot_wal_keep_size'"""
CLUSTER = "SELECT system_identifier FROM pg_control_system()"
LOG = "SELECT coalesce(sum(size), 0)::bigint FROM pg_ls_waldir()"
BEAT = "SELECT pg_current_xact_id()"
"""A transaction that writes nothing, and whose commit is in the log with its time."""

Bound = typing.Callable[[int], None]
"""Has slots hold so many MiB at the most from now on, also after a restart."""


class Place(typing.NamedTuple):
    """Where the log is: bytes of a segment, the timeline, all that is on the disk."""

    size: int
    timeline: int
    flushed: int

    @property
    def current(self) -> int:
        """The segment that is written."""
        return self.flushed // self.size

    def number(self, name: str) -> int | None:
        """The segment of a file; None: it is another timeline's."""
        timeline, log, segment = (int(name[n : n + 8], 16) for n in (0, 8, 16))
        of = log * (2**32 // self.size) + segment
        return of if timeline == self.timeline else None


def where(line: Talk) -> Place:
    """Where the log of a server is."""
    ((size, timeline, flushed),) = line.rows(WHERE, LOOK)
    return Place(int(size), int(timeline, 16), int(flushed))


class Archive:
    """The log of one server."""

    def __init__(self, host: Host, places: Places, port: int, bound: Bound) -> None:
        self._host, self._places, self._port = host, places, port
        self._bound = bound

    def hold(self, after: int | None) -> int:
        """By the slot, which is made where there is nothing to lose."""
        with self._talk() as line:
            here, held = where(line), self._held(line)
            if after is None:
                after = here.current - 1
                if held is None or held[0] == "lost":
                    self._make(line, held is not None)
            elif held is None:
                raise Lost(why="what held it is gone")
            elif held[0] == "lost" or held[1] > (after + 1) * here.size:
                raise Lost(why="more of it was waiting than the volume has room for")
            ((now,), (log,)) = line.rows(BOUND, LOOK) + line.rows(LOG, LOOK)
        self._keep_within(int(now), int(log) // MIB)
        return after

    def known(self, after: int) -> str:
        """By the cluster that it is of: in one, no number comes twice."""
        with self._talk() as line:
            ((cluster,),) = line.rows(CLUSTER, LOOK)
        return str(cluster)

    def cut(self) -> None:
        """The rest of the segment is left empty."""
        with self._talk() as line:
            line.rows(BEAT, LOOK)
            line.rows("SELECT pg_switch_wal()", SWITCH)

    def ready(self, after: int) -> list[LogFile]:
        """The segments of this timeline that were written to their ends."""
        with self._talk() as line:
            here = where(line)
            found = [
                LogFile(number, str(name), int(size))
                for name, size in line.rows(FILES, LOOK)
                if (number := here.number(name)) is not None and number < here.current
            ]
        return whole(found, after, here.current)

    def behind(self, after: int) -> int:
        """What a switch leaves empty takes its room as well."""
        with self._talk() as line:
            here = where(line)
        return max(0, here.flushed - (after + 1) * here.size)

    def stages(self, files: typing.Sequence[LogFile]) -> tuple[Stage, ...]:
        """A tar of the segments."""
        argv = ("tar", "--create", f"--directory={self._places.data}/pg_wal")
        names = tuple(each.name for each in files)
        return (Stage((*argv, "--file=-", "--", *names), user=DATASTORE.user),)

    def release(self, place: int) -> None:
        """The slot moves on."""
        with self._talk() as line:
            here, held = where(line), self._held(line)
            to = (place + 1) * here.size
            if held is not None and held[0] != "lost" and held[1] < to:
                at = f"{to >> 32:X}/{to & 0xFFFFFFFF:X}"
                advance = f"SELECT pg_replication_slot_advance('{SLOT}', '{at}')"
                line.rows(advance, LOOK)

    def let_go(self) -> None:
        """There is no slot, and others are bounded as they were."""
        with self._talk() as line:
            if self._held(line) is not None:
                line.rows(DROP, LOOK)
            ((now,),) = line.rows(BOUND, LOOK)
        if now != LEAST:
            self._bound(LEAST)

    def replay(
        self,
        work: str,
        words: typing.Mapping[str, str],
        log: Brought,
        target: Target,
    ) -> None:
        """By a standby that is fed with it, and becomes a server at the target."""
        from trove.datastores.postgresql.agent import replay

        replay.replay(self._host, self._places, self._port, log, target)

    def _make(self, line: Talk, lost: bool) -> None:
        if lost:
            line.rows(DROP, LOOK)
        line.rows(HOLD, LOOK)

    def _held(self, line: Talk) -> tuple[str, int] | None:
        """Whether the slot has what it held, and from which byte of the log on."""
        for status, begin in line.rows(HELD, LOOK):
            return ("lost", 0) if begin is None else (str(status), int(begin))
        return None

    def _keep_within(self, now: int, log: int) -> None:
        """Half of what there would be without the log; near it is near enough."""
        argv = ["df", "--output=avail", "--block-size=1M", "--", self._places.volume]
        room = int(self._host.run(argv).stdout.split()[-1]) + log
        if not room // 4 <= now <= max(LEAST, 3 * room // 4):
            self._bound(max(LEAST, room // 2))

    def _talk(self) -> contextlib.AbstractContextManager[Talk]:
        return talk(self._places.runtime, self._port)
