# SPDX-License-Identifier: Apache-2.0
"""Hashes of the moment of a backup, by a transaction that began a little after it.

What was committed in between is in the binary log. What is defined anew while the rows
are read is there too: it may be of a table that was not read yet.
"""

import contextlib
import typing

from trove import errors
from trove.datastores.classic import changes, rows
from trove.datastores.classic.changes import Place
from trove.datastores.classic.places import Places
from trove.datastores.classic.root import end_sessions
from trove.datastores.classic.sql import Talk, opened
from trove.datastores.rows import Bound, Hashes, Where

LOOK = 60.0
SESSIONS = "information_schema.processlist"


class Snapshots:
    """Of one server. ``where`` says of a transaction that was just begun from which
    place on the log is not in it, or a later one."""

    def __init__(
        self,
        places: Places,
        kind: type[Talk],
        where: typing.Callable[[Talk], Place] = changes.here,
    ) -> None:
        self._places, self._kind, self._where = places, kind, where

    def end_others(self) -> None:
        """What a job that died has left reading is read for nobody."""
        with contextlib.suppress(errors.TroveError), self._talk() as talk:
            end_sessions(talk, SESSIONS, rows.LEFT_OVER)

    def since(self, begin: Place, bound: Bound) -> Hashes:
        """Of what nobody changed from that place of the log on."""
        with self._talk() as talk:
            _begin(talk)
            return self._since(talk, begin, bound)

    def _since(
        self,
        talk: Talk,
        begin: Place,
        bound: Bound,
        only: frozenset[Where] | None = None,
    ) -> Hashes:
        at = self._where(talk)
        changed = changes.between(self._places, talk, begin, at, bound.again())
        changed = rows.spread(changed, rows.pointing(talk))
        found = rows.hash_all(talk, bound, changed, only)
        # a definition since, and there is nothing that counts: it has its own time
        changes.between(self._places, talk, at, changes.here(talk), bound.again())
        return found

    def of(self, tables: typing.Sequence[Where], bound: Bound) -> Hashes:
        """Of these, as they were when the server was started for the first time: what
        runs in it by itself (an event) may change what was restored."""
        with self._talk() as talk:
            _begin(talk)
            return self._since(talk, changes.beginning(talk), bound, frozenset(tables))

    def _talk(self) -> contextlib.AbstractContextManager[Talk]:
        return opened(self._kind, self._places.socket, LOOK)


def _begin(talk: Talk) -> None:
    talk.rows(rows.ONE_CLOCK, LOOK)
    talk.rows(rows.SNAPSHOT, LOOK)
