# SPDX-License-Identifier: Apache-2.0
"""Hashes of rows of MySQL: of a transaction that begins as soon as there is a copy.

The copy is of a moment between two places of the binary log, of which the first is
noted before it begins: all that was logged by then is committed when the next commit
is, for they are in the order of the log. An increment ends where the log was cut.
"""

import typing

import pymysql

from trove.datastores.classic import archive
from trove.datastores.classic.changes import Place, Unclear
from trove.datastores.classic.snapshots import Snapshots
from trove.datastores.classic.sql import error
from trove.datastores.mysql.agent.sql import Talk
from trove.datastores.rows import Bound, Hashes, Limits, Where, tried
from trove.datastores.saving import Mark

LOOK = 60.0
NOTHING = Hashes(none="nobody has asked for them")


class Rows:
    """What its ``Backups`` answers with."""

    def __init__(self, server: archive.Server) -> None:
        self._snapshots = Snapshots(server.places, Talk)
        self._limits: Limits | None = None
        self._found = NOTHING

    def expect(self, limits: Limits) -> None:
        """They are taken as soon as there is a copy, which is then said."""
        self._limits = limits
        self._snapshots.end_others()

    def settle(self, talk: Talk) -> None:
        """What is in the log by now is in the copy that is made next."""
        if self._limits is None:
            return
        try:
            talk.rows(archive.BEAT, LOOK)
        except pymysql.MySQLError as failed:
            self._limits, self._found = None, Hashes(none=error(failed).message)

    def take(self, binlog: str) -> None:
        """Now: the copy, or the log, has all that was logged until there."""
        if self._limits is not None:
            limits = self._limits
            self._found = tried(lambda: self._taken(binlog, Bound(limits)))

    def taken(self, mark: Mark) -> Hashes:
        """Those that were."""
        return self._found

    def again(self, tables: typing.Sequence[Where], seconds: float) -> Hashes:
        """As they are."""
        self._snapshots.end_others()
        return self._snapshots.of(tables, Bound(Limits(seconds)))

    def _taken(self, binlog: str, bound: Bound) -> Hashes:
        begin = archive.begins(binlog)
        if begin is None:
            raise Unclear(why="the backup does not say where it goes on")
        return self._snapshots.since(Place(*begin), bound)
