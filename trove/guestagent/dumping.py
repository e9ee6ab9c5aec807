# SPDX-License-Identifier: Apache-2.0
"""The deed of an export: dumps of databases, brought to their project's container.

As a backup is brought, but as it is said: anybody who has the container reads it. An
attempt writes over what the one before brought.
"""

import hashlib
import typing

from trove import errors
from trove.guestagent.desk import Desk, Result, must_be_prepared
from trove.guestagent.grants import Grants
from trove.guestagent.saving import Told, granted, serving, unsealer, used
from trove.rpc import codec
from trove.rpc.messages import ExportOrder
from trove.storage.vault.protocol import LIST

if typing.TYPE_CHECKING:
    from trove.storage.dumps import Dumped
    from trove.storage.pipeline import Source

ENDS = 600.0
"""Seconds in which the programs end that have said everything."""


class TooLarge(errors.Invalid):
    """More than the parts that one database may have."""

    sentence = "the dump of the database {database} has more than {parts} parts"


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

    def put(number: int, data: bytes) -> None:
        if number >= dumps.EACH:
            raise TooLarge(database=database, parts=dumps.EACH)
        at.put(index * dumps.EACH + number, data)

    with (
        desk.engine.dumps().saying(database) as stages,
        desk.host.reading(*stages, within=ENDS) as stream,
    ):
        hashed = Hashed(stream)
        sent = pipeline.bring(hashed, put, lambda size: told.carried(before + size))
    return dumps.Dumped(database, sent.parts, hashed.sha256.hexdigest())
