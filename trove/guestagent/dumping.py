# SPDX-License-Identifier: Apache-2.0
"""The deeds of dumps: brought to their project's container, or loaded out of it.

A dump is brought as a backup is, but as it is said: anybody who has the container reads
it. An attempt writes over what the one before brought. What is loaded makes a database,
which is there in whole in the end, or is not: until then a note on the volume says that
it is an import's.
"""

import hashlib
import itertools
import typing

from trove import errors
from trove.datastores.protocol import Database
from trove.guestagent.desk import Desk, Result, must_be_prepared
from trove.guestagent.grants import Grants
from trove.guestagent.saving import Told, granted, serving, unsealer, used
from trove.rpc import codec
from trove.rpc.messages import ExportOrder, ImportOrder
from trove.storage.vault.protocol import LIST

if typing.TYPE_CHECKING:
    from trove.storage.dumps import Dumped
    from trove.storage.pipeline import Source

ENDS = 600.0
"""Seconds in which the programs end that have said everything."""
LOADED = 12 * 3600.0
"""Seconds in which the programs end that were told everything: what is last in a dump
is what takes longest, its indexes."""


class TooLarge(errors.Invalid):
    """More than the parts that one database may have."""

    sentence = "the dump of the database {database} has more than {parts} parts"


NOTE = ".trove-import"
"""On the volume: the name of a database that is loaded."""
BEGIN = 8
"""Bytes by which what takes a dump knows what it is."""


class Hashed:
    """The bytes of a source, and the SHA-256 of all that was read."""

    def __init__(self, source: "Source") -> None:
        self._source, self.sha256 = source, hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        """What the source says."""
        piece = self._source.read(size)
        self.sha256.update(piece)
        return piece


def export(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """Dumps of databases that go on serving, as parts; and last of all their list."""
    from trove.storage import dumps  # only here: they stay out of the agent

    order: ExportOrder = codec.decode(ExportOrder, arguments["order"], "order")
    must_be_prepared(desk)
    serving(desk)
    if order.back:
        desk.engine.dumps().forget()
        return {}
    told, job = Told(desk, used(desk.guest.data)), str(arguments["job"])
    secret = unsealer(desk)(order.sealed)
    with granted(desk, job, secret, told) as at:
        found: list[Dumped] = []
        for index, database in enumerate(order.databases):
            before = sum(one.size for one in found)
            found.append(_brought(desk, at, told, index, database, before))
        names = dumps.Names(order.name, order.databases, order.ending)
        about = {"instance": desk.guest.instance, "datastore": desk.guest.datastore}
        at.put(LIST, dumps.write(names, about, found))
    return {"attempt": desk.attempt}


def _brought(
    desk: Desk, at: Grants, told: Told, index: int, database: str, before: int
) -> "Dumped":
    """One database; ``before`` bytes were brought of others."""
    from trove.storage import dumps, pipeline

    def put(number: int, /, *pieces: bytes) -> None:
        if number >= dumps.EACH:
            raise TooLarge(database=database, parts=dumps.EACH)
        at.put(index * dumps.EACH + number, *pieces)

    with (
        desk.engine.dumps().saying(database) as stages,
        desk.host.reading(*stages, within=ENDS) as stream,
    ):
        hashed = Hashed(stream)
        sent = pipeline.bring(hashed, put, lambda size: told.carried(before + size))
    return dumps.Dumped(database, sent.parts, hashed.sha256.hexdigest())


def load(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """A new database with all of a dump; none, if anything of it is not taken."""
    order: ImportOrder = codec.decode(ImportOrder, arguments["order"], "order")
    must_be_prepared(desk)
    serving(desk)
    _drop(desk, order.database)  # also of an attempt of before
    if order.back:
        desk.engine.dumps().forget(order.database)
        return {}
    if desk.engine.accounts.has_database(order.database):
        raise errors.Clash(what="Database", id=order.database)
    note = f"{desk.guest.data}/{NOTE}"
    desk.host.write_file(note, order.database, mode=0o600)
    try:
        desk.engine.accounts.create_databases([Database(order.database)])
        told = Told(desk, order.size)
        secret = unsealer(desk)(order.sealed)
        with granted(desk, str(arguments["job"]), secret, told) as at:
            _load(desk, order, at, told)
    except BaseException:
        _drop(desk, order.database)
        raise
    desk.host.remove(note)
    return {"attempt": desk.attempt}


def _load(desk: Desk, order: ImportOrder, at: Grants, told: Told) -> None:
    from trove.storage import dumps, pipeline

    sizes: list[int] = []
    while piece := dumps.piece(order.size, len(sizes)):
        sizes.append(piece[1])
    pieces = pipeline.fetch(sizes, at.get)
    first = next(pieces)
    with (
        desk.engine.dumps().taking(order.database, first[:BEGIN]) as stages,
        desk.host.writing(*stages, within=LOADED) as sink,
    ):
        done = 0
        for data in itertools.chain([first], pieces):
            sink.write(data)
            done += len(data)
            told.carried(done)


def _drop(desk: Desk, database: str) -> None:
    """It is gone, if it was being loaded."""
    note = f"{desk.guest.data}/{NOTE}"
    if desk.host.read_file(note) != database:
        return
    if desk.engine.accounts.has_database(database):
        desk.engine.accounts.delete_database(database)
    desk.host.remove(note)
