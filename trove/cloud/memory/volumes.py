# SPDX-License-Identifier: Apache-2.0
"""The memory cloud's volumes."""

from trove.cloud import protocol
from trove.cloud.memory.world import Made, Part, call


def seen(volume: Made) -> protocol.Volume:
    servers = (volume.server,) if volume.server else ()
    taken = servers or volume.reserved
    status = volume.status or ("in-use" if taken else "available")
    if volume.gone_at is not None:
        status = "deleting"
    return protocol.Volume(
        volume.id,
        volume.key,
        volume.passing or status,
        volume.size,
        type=volume.type,
        servers=servers,
    )


class Volumes(Part):
    noun = "volumes"

    @call
    def types(self) -> list[protocol.VolumeType]:
        return list(self.world.volume_types)

    @call
    def find(self, key: str) -> list[protocol.Volume]:
        return [seen(t) for t in self._keyed("volume", key)]

    @call
    def owned(self) -> list[protocol.Volume]:
        return [seen(t) for t in self._mine("volume")]

    @call
    def create(
        self, key: str, size: int, type: str | None = None, snapshot: str | None = None
    ) -> protocol.Volume:
        if size < 1:
            raise protocol.Refused(f"a volume of {size} GiB", status=400)
        volume = self._new("volume", key)
        if snapshot is not None:
            self._filled(volume, size, snapshot)
        volume.size, volume.type = size, type
        volume.passing, volume.until = "creating", volume.made + self.world.pace.create
        self.world.add(volume)
        self.world.pass_time()
        return seen(volume)

    @call
    def show(self, id: str) -> protocol.Volume | None:
        volume = self.world.get("volume", id)
        return seen(volume) if volume else None

    @call
    def delete(self, id: str) -> None:
        volume = self.world.get("volume", id)
        if volume is None:
            return
        status = seen(volume).status
        if status not in ("available", "error", "deleting"):
            if self.world.get("server", volume.reserved) is None:
                volume.reserved = ""
            raise protocol.CloudConflict(f"volume {id} is {status}")
        if any(t.volume == id for t in self.world.made.values()):
            raise protocol.CloudConflict(f"volume {id} has snapshots")
        self.world.leave(volume)

    def _filled(self, volume: Made, size: int, snapshot: str) -> None:
        source = self.world.must("snapshot", snapshot)
        if source.passing or source.status or size < source.size:
            why = f"snapshot {snapshot} is not to be had, or larger than {size} GiB"
            raise protocol.Refused(why, status=400)
        volume.holds, volume.source = source.holds, snapshot

    @property
    def grow_in_use(self) -> bool:
        return self.world.grow_in_use

    @call
    def extend(self, id: str, size: int) -> None:
        volume = self.world.must("volume", id)
        status = seen(volume).status
        able = ("available", "in-use") if self.world.grow_in_use else ("available",)
        if status not in able:
            raise protocol.CloudConflict(f"volume {id} is {status}")
        if size == volume.size:
            return
        if size < volume.size:
            raise protocol.Refused(f"volume {id} cannot shrink", status=400)
        volume.target, volume.passing = size, "extending"
        volume.until = self.world.clock() + self.world.pace.extend

    @call
    def retain(self, id: str, why: str) -> None:
        self.world.must("volume", id).retained = why

    @call
    def resume(self, id: str) -> None:
        self.world.must("volume", id).retained = None
