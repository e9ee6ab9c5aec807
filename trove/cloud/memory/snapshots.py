# SPDX-License-Identifier: Apache-2.0
"""The memory cloud's snapshots of volumes."""

from trove.cloud import protocol
from trove.cloud.memory.world import Made, Part, call


def seen(snapshot: Made) -> protocol.Snapshot:
    status = snapshot.status or "available"
    if snapshot.gone_at is not None:
        status = "deleting"
    return protocol.Snapshot(
        snapshot.id,
        snapshot.key,
        snapshot.passing or status,
        snapshot.size,
        snapshot.volume,
    )


class Snapshots(Part):
    noun = "snapshots"

    @call
    def find(self, key: str) -> list[protocol.Snapshot]:
        return [seen(t) for t in self._keyed("snapshot", key)]

    @call
    def owned(self) -> list[protocol.Snapshot]:
        return [seen(t) for t in self._mine("snapshot")]

    @call
    def create(self, key: str, volume: str) -> protocol.Snapshot:
        source = self.world.must("volume", volume)
        if source.passing or source.status or source.gone_at is not None:
            raise protocol.CloudConflict(f"volume {volume} is not to be had")
        snapshot = self._new("snapshot", key)
        snapshot.volume, snapshot.size = volume, source.size
        snapshot.holds = source.holds
        snapshot.passing = "creating"
        snapshot.until = snapshot.made + self.world.pace.create
        self.world.add(snapshot)
        self.world.pass_time()
        return seen(snapshot)

    @call
    def show(self, id: str) -> protocol.Snapshot | None:
        snapshot = self.world.get("snapshot", id)
        return seen(snapshot) if snapshot else None

    @call
    def delete(self, id: str) -> None:
        snapshot = self.world.get("snapshot", id)
        if snapshot is None:
            return
        if snapshot.passing:
            raise protocol.CloudConflict(f"snapshot {id} is {snapshot.passing}")
        if self.world.keeps_sources and self._stood_on(id):
            return
        self.world.leave(snapshot)

    def _stood_on(self, id: str) -> bool:
        return any(each.source == id for each in self.world.made.values())
