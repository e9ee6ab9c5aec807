# SPDX-License-Identifier: Apache-2.0
"""Snapshots of volumes, through python-cinderclient.

A snapshot carries its key and its deployment as metadata, as a volume does, and its
name is the key.
"""

import typing

from trove.cloud import protocol
from trove.cloud.openstack import faults
from trove.cloud.openstack.session import Access, Clients
from trove.cloud.openstack.volumes import DEPLOYMENT, KEY, marked

_STATUS = {"available": "available", "creating": "creating", "deleting": "deleting"}
"""Besides these (a back-end that is at work on one): creating; error*: error."""


class Snapshots:
    """Cinder, as the protocol wants it."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def find(self, key: str) -> list[protocol.Snapshot]:
        """Snapshots of this deployment with this key, oldest first."""
        return self._marked({KEY: key, DEPLOYMENT: self._access.settings.deployment})

    def owned(self) -> list[protocol.Snapshot]:
        """Every snapshot of this deployment."""
        return self._marked({DEPLOYMENT: self._access.settings.deployment})

    def create(self, key: str, volume: str) -> protocol.Snapshot:
        """Orders a snapshot; ``force``: a server may have the volume."""
        marks = {KEY: key, DEPLOYMENT: self._access.settings.deployment}
        with self._access.using("snapshots.create", making=True) as clients:
            made = clients.cinder.volume_snapshots.create(
                faults.plain(volume), force=True, name=key, metadata=marks
            )
            return _seen(made.to_dict())

    def show(self, id: str) -> protocol.Snapshot | None:
        """A snapshot, or None when there is none (any more)."""
        with faults.UnlessAbsent(), self._access.using("snapshots.show") as clients:
            found = clients.cinder.volume_snapshots.get(faults.plain(id))
            return _seen(found.to_dict())
        return None

    def delete(self, id: str) -> None:
        """Asks for a snapshot's end, which takes a while."""
        try:
            with (
                faults.UnlessAbsent(),
                self._access.using("snapshots.delete") as clients,
            ):
                clients.cinder.volume_snapshots.delete(faults.plain(id))
        except protocol.Refused as refused:
            # Cinder says 400 where others say 409: being made, or deleted already
            if refused.status != 400:
                raise
            found = self.show(id)
            if found is not None and found.status != "deleting":
                raise protocol.CloudConflict(f"{refused}") from refused

    def _marked(self, marks: dict[str, str]) -> list[protocol.Snapshot]:
        def listing(clients: Clients) -> list[protocol.Snapshot]:
            answer = clients.cinder.volume_snapshots.list(
                search_opts={"metadata": marks}
            )
            found = marked([one.to_dict() for one in answer], marks)
            return [_seen(each) for each in found]

        return self._access.listed("snapshots.list", listing)


def _seen(snapshot: dict[str, typing.Any]) -> protocol.Snapshot:
    said = snapshot["status"]
    status = "error" if said.startswith("error") else _STATUS.get(said, "creating")
    return protocol.Snapshot(
        str(snapshot["id"]),
        (snapshot.get("metadata") or {}).get(KEY),
        status,
        int(snapshot["size"]),
        str(snapshot["volume_id"]),
    )
