# SPDX-License-Identifier: Apache-2.0
"""Hashes of rows of MariaDB: its transactions say where in the binary log they are."""

import typing

from trove.datastores.classic import archive
from trove.datastores.classic.changes import Place, Unclear
from trove.datastores.classic.places import Places
from trove.datastores.classic.snapshots import LOOK, Snapshots
from trove.datastores.classic.sql import Talk
from trove.datastores.mariadb.agent import sql
from trove.datastores.rows import Bound, Hashes, Limits, Where, tried
from trove.datastores.saving import Mark

AT = "SHOW STATUS LIKE 'binlog\\_snapshot\\_%'"


class Rows:
    """What its ``Backups`` answers with."""

    def __init__(self, places: Places) -> None:
        self._snapshots = Snapshots(places, sql.Talk, where)
        self._limits = Limits(0.0)

    def expect(self, limits: Limits) -> None:
        """The tool writes down where in the log its backup ends: that is enough."""
        self._limits = limits
        self._snapshots.end_others()

    def taken(self, mark: Mark) -> Hashes:
        """Of a transaction that begins now."""
        return tried(lambda: self._taken(mark.words.get("binlog", "")))

    def again(self, tables: typing.Sequence[Where], seconds: float) -> Hashes:
        """As they are."""
        self._snapshots.end_others()
        return self._snapshots.of(tables, Bound(Limits(seconds)))

    def _taken(self, binlog: str) -> Hashes:
        begin = archive.begins(binlog)
        if begin is None:
            raise Unclear(why="the backup does not say where it goes on")
        return self._snapshots.since(Place(*begin), Bound(self._limits))


def where(talk: Talk) -> Place:
    """The place of the transaction that was begun, to the event."""
    said = {str(name).lower(): str(value) for name, value in talk.rows(AT, LOOK)}
    file, at = said["binlog_snapshot_file"], said["binlog_snapshot_position"]
    return Place(archive.number(file), int(at))
