# SPDX-License-Identifier: Apache-2.0
"""The events of instances, told on the bus: what happened, and what it is billed by.

An event is a row of the transaction that made it true, so none is told of what did not
happen, and none is forgotten. The words are those of Trove's notifications.
"""

import datetime
import logging
import typing
import uuid

from trove.db.queries import outbox
from trove.db.queries.outbox import News
from trove.db.session import Database
from trove.db.tables import Instance
from trove.model import operations
from trove.rpc.notices import Notices

LOG = logging.getLogger(__name__)

BATCH = 100
WITHIN = 24 * 3600.0
"""Seconds after which an event is no news: notifications were switched on later."""

NAMES = {
    operations.RESIZE_FLAVOR: "instance_resize_instance",
    operations.RESIZE_VOLUME: "instance_resize_volume",
    operations.RESIZE_OFFLINE: "instance_resize_volume",
}
"""Of an operation, where it is not just its own with an underscore."""
MOMENTS = {"accepted": "start", "end": "end", "error": "error"}
USAGE = {
    operations.CREATE: "create",
    operations.DELETE: "delete",
    operations.UNDELETE: "create",
    operations.RESIZE_FLAVOR: "modify_flavor",
    operations.RESIZE_VOLUME: "modify_volume",
    operations.RESIZE_OFFLINE: "modify_volume",
}
"""What changes the bill, when it has ended well."""
IDS = uuid.UUID("6d2f6d51-0f6e-4b4c-8b6e-1d8a1f0c9a55")
"""An event has the same id each time that it is told."""

Payload = dict[str, typing.Any]


class Outbox:
    """``round`` tells all that there is; any number of taskmanagers do it at once."""

    def __init__(self, database: Database, notices: Notices) -> None:
        self._database, self._notices = database, notices

    def round(self) -> None:
        """All that is waiting; ``errors.Unavailable`` leaves the rest for later."""
        while self._notices.wanted and (found := self._claimed()):
            self._tell(found)

    def _claimed(self) -> list[News]:
        return self._database.run(lambda tx: outbox.claim(tx, BATCH, WITHIN))

    def _tell(self, found: list[News]) -> None:
        done: list[News] = []
        try:
            for news in found:
                self._send(news)
                done.append(news)
        finally:
            rest = found[len(done) :]

            def settle(tx: typing.Any) -> None:
                outbox.told(tx, done)
                outbox.let_go(tx, rest)

            self._database.run(settle)

    def _send(self, news: News) -> None:
        for kind, payload, error in messages(news):
            self._notices.send(
                str(uuid.uuid5(IDS, f"{news.object_id}/{news.seq}/{kind}")),
                kind,
                payload,
                at=_shown(news.at),
                request_id=news.request_id,
                error=error,
            )


def messages(news: News) -> list[tuple[str, Payload, bool]]:
    """What an event is told as: the type, the payload, and whether it is an error."""
    operation, _, moment = news.kind.rpartition(".")
    payload = _base(news)
    if moment not in MOMENTS:
        return [(f"dbaas.{news.kind.replace('.', '_')}", payload, False)]
    name = NAMES.get(operation, operation.replace(".", "_"))
    failed = moment == "error"
    if failed:
        payload["message"] = news.payload.get("fault")
    told = [(f"dbaas.{name}.{MOMENTS[moment]}", payload, failed)]
    if moment == "end" and operation in USAGE and news.instance is not None:
        told.append((f"trove.instance.{USAGE[operation]}", _usage(news), False))
    return told


def _base(news: News) -> Payload:
    row = news.instance
    said: Payload = {
        "instance_id": news.object_id,
        "request_id": news.request_id,
        "server_type": "taskmanager",
        **{key: value for key, value in news.payload.items() if key != "fault"},
    }
    if row is not None:
        said |= {
            "tenant_id": row.project,
            "name": row.name,
            "datastore": news.datastore,
            "datastore_version": news.version,
        }
    return said


def _usage(news: News) -> Payload:
    row = typing.cast(Instance, news.instance)
    said = {
        "created_at": _shown(row.created),
        "launched_at": _shown(row.created),
        "deleted_at": None if row.deleted_at is None else _shown(row.deleted_at),
        "name": row.name,
        "instance_id": row.id,
        "instance_name": row.name,
        "instance_type_id": row.flavor_id,
        "instance_size": row.ram,
        "nova_instance_id": row.server_id,
        "nova_volume_id": row.volume_id,
        "volume_size": row.volume_size,
        "region": row.region,
        "availability_zone": row.availability_zone,
        "state": row.task,
        "tenant_id": row.project,
        "user_id": news.payload.get("user"),
        "service_id": news.datastore,
    }
    return {key: value for key, value in said.items() if value is not None}


def _shown(moment: float) -> str:
    at = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")
