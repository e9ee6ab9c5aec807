# SPDX-License-Identifier: Apache-2.0
"""Volumes, through python-cinderclient.

A volume carries its key and its deployment as metadata, given when it is created. Its
name is the key too, until it is retained.
"""

import contextlib
import typing

from trove.cloud import protocol
from trove.cloud.openstack import faults
from trove.cloud.openstack.session import Access, Clients

KEY = "trove_key"
DEPLOYMENT = "trove_deployment"
RETAINED = "trove_retained"

_STATUS = {
    "creating": "creating",
    "downloading": "creating",
    "available": "available",
    "extending": "extending",
    "deleting": "deleting",
}
"""Besides these: error, error_*: ``error``; what is being worked on: ``in-use``."""

_LONGEST = 255


class Volumes:
    """Cinder, as the protocol wants it."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def types(self) -> list[protocol.VolumeType]:
        """Every volume type that the service's project may use."""
        with self._access.using("volumes.types") as clients:
            told = [each.to_dict() for each in clients.cinder.volume_types.list()]
        return [
            protocol.VolumeType(
                str(each["id"]),
                each["name"],
                bool(each.get("is_public", True)),
                each.get("description"),
            )
            for each in told
        ]

    def find(self, key: str) -> list[protocol.Volume]:
        """Volumes of this deployment with this key, oldest first."""
        return self._marked({KEY: key, DEPLOYMENT: self._access.settings.deployment})

    def owned(self) -> list[protocol.Volume]:
        """Every volume of this deployment, retained ones too."""
        return self._marked({DEPLOYMENT: self._access.settings.deployment})

    def create(
        self, key: str, size: int, type: str | None = None, snapshot: str | None = None
    ) -> protocol.Volume:
        """Orders an empty volume, or one with what is in a snapshot."""
        marks = {KEY: key, DEPLOYMENT: self._access.settings.deployment}
        with self._access.using("volumes.create", making=True) as clients:
            made = clients.cinder.volumes.create(
                size,
                name=key,
                volume_type=type,
                metadata=marks,
                snapshot_id=snapshot,
            )
            return _seen(made.to_dict())

    def show(self, id: str) -> protocol.Volume | None:
        """A volume, or None when there is none (any more)."""
        with faults.UnlessAbsent(), self._access.using("volumes.show") as clients:
            return _seen(clients.cinder.volumes.get(faults.plain(id)).to_dict())
        return None

    def delete(self, id: str) -> None:
        """Asks for a volume's end, which takes a while."""
        try:
            with (
                faults.UnlessAbsent(),
                self._access.using("volumes.delete") as clients,
            ):
                clients.cinder.volumes.delete(faults.plain(id))
        except protocol.Refused as refused:
            # Cinder says 400 where others say 409: in use, or being deleted already.
            if refused.status != 400:
                raise
            volume = self.show(id)
            if volume is None or volume.status == "deleting":
                return
            # asked again, the volume is free: this order was for one that was not
            with contextlib.suppress(protocol.Refused):
                self._release(id)
            raise protocol.CloudConflict(f"{refused}") from refused

    @property
    def grow_in_use(self) -> bool:
        """By the operator's word: what its back-end can do, Cinder tells nobody."""
        return self._access.settings.extend_in_use

    def extend(self, id: str, size: int) -> None:
        """Asks for a volume to grow to ``size``; one of that size is left as it is."""
        volume = self.show(id)
        if volume is None:
            raise protocol.Refused(f"volume {id} could not be found", status=404)
        if volume.status not in ("available", "in-use"):
            raise protocol.CloudConflict(f"volume {id} is {volume.status}")
        if volume.size == size:
            return
        if volume.size > size:
            raise protocol.Refused(f"volume {id} cannot shrink", status=400)
        try:
            with self._access.using("volumes.extend") as clients:
                clients.cinder.volumes.extend(id, size)
        except protocol.Refused as refused:
            if refused.status != 400:
                raise
            # The size was looked at above, so it is the state that is refused.
            raise protocol.CloudConflict(f"{refused}") from refused

    def retain(self, id: str, why: str) -> None:
        """Marks a volume as kept on purpose, by metadata and by name."""
        with self._access.using("volumes.retain") as clients:
            volume = clients.cinder.volumes.get(faults.plain(id)).to_dict()
            key = (volume.get("metadata") or {}).get(KEY) or id
            clients.cinder.volumes.set_metadata(id, {RETAINED: why[:_LONGEST]})
            clients.cinder.volumes.update(id, name=f"retained {key}"[:_LONGEST])

    def resume(self, id: str) -> None:
        """Takes the mark away, and gives the volume the name that it had."""
        with self._access.using("volumes.resume") as clients:
            volume = clients.cinder.volumes.get(faults.plain(id)).to_dict()
            key = (volume.get("metadata") or {}).get(KEY) or id
            clients.cinder.volumes.delete_metadata(id, [RETAINED])
            clients.cinder.volumes.update(id, name=key[:_LONGEST])

    def _release(self, id: str) -> None:
        """Takes a volume from servers that it is reserved for and that are no more.

        Nova leaves such a reservation when a server is deleted while it is built, and
        nobody else would ever end it.
        """
        with self._access.using("volumes.release") as clients:
            held = clients.cinder.attachments.list(search_opts={"volume_id": id})
            reserved = [each.to_dict() for each in held]
        for each in reserved:
            if each["status"] == "reserved" and self._is_gone(each["instance"]):
                with (
                    faults.UnlessAbsent(),
                    self._access.using("volumes.release") as clients,
                ):
                    clients.cinder.attachments.delete(each["id"])

    def _is_gone(self, server: str) -> bool:
        with faults.UnlessAbsent(), self._access.using("volumes.release") as clients:
            clients.nova.servers.get(faults.plain(server))
            return False
        return True

    def _marked(self, marks: dict[str, str]) -> list[protocol.Volume]:
        def listing(clients: Clients) -> list[protocol.Volume]:
            answer = clients.cinder.volumes.list(search_opts={"metadata": marks})
            found = marked([volume.to_dict() for volume in answer], marks)
            return [_seen(volume) for volume in found]

        return self._access.listed("volumes.list", listing)


def marked(
    found: list[dict[str, typing.Any]], marks: dict[str, str]
) -> list[dict[str, typing.Any]]:
    """Those of Cinder's things that have the marks, the oldest first.

    An old Cinder does not look at the filter; and to adopt another's would be worse
    than to find none.
    """
    mine = [
        each for each in found if marks.items() <= (each.get("metadata") or {}).items()
    ]
    return sorted(mine, key=lambda each: (each.get("created_at") or "", each["id"]))


def _seen(volume: dict[str, typing.Any]) -> protocol.Volume:
    said = volume["status"]
    status = "error" if said.startswith("error") else _STATUS.get(said, "in-use")
    return protocol.Volume(
        str(volume["id"]),
        (volume.get("metadata") or {}).get(KEY),
        status,
        int(volume["size"]),
        type=volume.get("volume_type"),
        servers=tuple(
            attachment["server_id"] for attachment in volume.get("attachments") or ()
        ),
    )
