# SPDX-License-Identifier: Apache-2.0
"""The memory cloud's servers and flavors."""

import dataclasses

from trove import errors
from trove.cloud import protocol
from trove.cloud.memory.volumes import seen as volume_seen
from trove.cloud.memory.world import ZONES, Made, Part, call


class Compute(Part):
    noun = "compute"

    @call
    def flavors(self) -> list[protocol.Flavor]:
        return list(self.world.flavors.values())

    @call
    def flavor(self, id: str) -> protocol.Flavor:
        if id not in self.world.flavors:
            raise errors.FlavorNotFound(id=id)
        return self.world.flavors[id]

    @call
    def find(self, key: str) -> list[protocol.Server]:
        return [self._seen(t) for t in self._keyed("server", key)]

    @call
    def owned(self) -> list[protocol.Server]:
        return [self._seen(t) for t in self._mine("server")]

    @call
    def boot(self, key: str, order: protocol.Boot) -> protocol.Server:
        world = self.world
        if order.flavor not in world.flavors or order.image not in world.images:
            raise protocol.Refused("no such flavor or image", status=400)
        if order.availability_zone not in ZONES:
            raise protocol.Refused("no such availability zone", status=400)
        if order.server_group is not None:
            world.must("server_group", order.server_group, status=400)
        ports = [world.must("port", id, status=400) for id in order.ports]
        taken = [port.id for port in ports if port.server]
        if taken:
            raise protocol.CloudConflict(f"port {taken[0]} is in use")
        held = list(ports)
        if order.volume is not None:
            volume = world.must("volume", order.volume, status=400)
            if volume_seen(volume).status != "available":
                # The twin ends here (operations.md, rule 5).
                raise protocol.Refused(f"volume {volume.id} is in use", status=400)
            held.append(volume)
        server = self._new("server", key)
        server.order, server.status, server.boots = order, "ACTIVE", 1
        server.passing, server.until = "BUILD", server.made + world.pace.boot
        world.add(server)
        for thing in held:
            thing.server = server.id
        world.pass_time()
        return self._seen(server)

    @call
    def show(self, id: str) -> protocol.Server | None:
        server = self.world.get("server", id)
        return self._seen(server) if server else None

    @call
    def delete(self, id: str) -> None:
        if server := self.world.get("server", id):
            if self.world.leaves_reserved and server.passing == "BUILD":
                for thing in self.world.made.values():
                    if thing.kind == "volume" and thing.server == id:
                        thing.reserved = id
            self.world.leave(server)

    @call
    def reboot(self, id: str, hard: bool = False) -> None:
        server = self._idle(id)
        if not hard and server.status != "ACTIVE":
            raise protocol.CloudConflict(f"server {id} is {server.status}")
        server.status, server.passing = "ACTIVE", "REBOOT"
        server.boots += 1
        server.until = self.world.clock() + self.world.pace.reboot

    @call
    def stop(self, id: str) -> None:
        self._turned(id, "SHUTOFF")

    @call
    def start(self, id: str) -> None:
        self._turned(id, "ACTIVE")

    @call
    def attach(self, id: str, volume: str) -> None:
        server, wanted = self._idle(id), self.world.must("volume", volume)
        if wanted.server == id:
            return
        if wanted.server or wanted.passing or wanted.status or wanted.gone_at:
            raise protocol.CloudConflict(f"volume {volume} is not available")
        wanted.server = server.id

    @call
    def detach(self, id: str, volume: str) -> None:
        self._idle(id)
        held = self.world.get("volume", volume)
        if held is not None and held.server == id:
            held.server = None

    @call
    def resize(self, id: str, flavor: str) -> None:
        server = self._idle(id)
        if flavor not in self.world.flavors:
            raise protocol.Refused(f"flavor {flavor} could not be found", status=404)
        if server.status not in ("ACTIVE", "SHUTOFF"):
            raise protocol.CloudConflict(f"server {id} is {server.status}")
        if _flavor(server) == flavor:
            raise protocol.Refused("the flavor must be another", status=400)
        if self.world.keeps_sizes:
            done = not server.before[0]
            self._sized(server, flavor if done else _flavor(server), server.status)
            server.before = ("kept", "")
            return
        server.before = (_flavor(server), server.status)
        self._sized(server, flavor, "VERIFY_RESIZE")

    @call
    def migrate(self, id: str, host: str | None = None) -> None:
        server = self._idle(id)
        if server.status not in ("ACTIVE", "SHUTOFF"):
            raise protocol.CloudConflict(f"server {id} is {server.status}")
        hosts = [name for name in self.world.hosts if name != server.host]
        if not hosts or host not in (None, *hosts):
            raise protocol.Refused("No valid host was found", status=400)
        server.before = (_flavor(server), server.status)
        server.left, server.host = server.host, host or hosts[0]
        self._sized(server, _flavor(server), "VERIFY_RESIZE")

    @call
    def confirm(self, id: str) -> None:
        server = self._verifying(id)
        server.status, server.before = server.before[1], ("", "")
        server.left = ""

    @call
    def revert(self, id: str) -> None:
        server = self._verifying(id)
        before, server.before = server.before, ("", "")
        server.host, server.left = server.left or server.host, ""
        self._sized(server, *before)

    @call
    def rebuild(self, id: str, image: str, user_data: str, mark: str) -> None:
        server = self.world.must("server", id)
        if image not in self.world.images:
            raise protocol.Refused(f"image {image} could not be found", status=400)
        rests = server.status in ("ACTIVE", "SHUTOFF", "ERROR")
        if server.passing or server.gone_at is not None or not rests:
            seen = server.passing or server.status
            raise protocol.CloudConflict(f"server {id} is {seen}")
        if server.order:
            server.order = dataclasses.replace(
                server.order, image=image, user_data=user_data
            )
        server.mark, server.status, server.passing = mark, "ACTIVE", "BUILD"
        server.boots += 1
        server.until = self.world.clock() + self.world.pace.rebuild

    @call
    def console(self, id: str, lines: int = 100) -> str:
        order = self.world.must("server", id).order
        return f"{order.name if order else id} login:"

    def _idle(self, id: str) -> Made:
        server = self.world.must("server", id)
        if server.passing or server.gone_at is not None or server.status == "ERROR":
            seen = server.passing or server.status
            raise protocol.CloudConflict(f"server {id} is {seen}")
        return server

    def _turned(self, id: str, status: str) -> None:
        server = self._idle(id)
        if server.status == "VERIFY_RESIZE":
            raise protocol.CloudConflict(f"server {id} is {server.status}")
        server.boots += server.status != status == "ACTIVE"
        server.status = status

    def _verifying(self, id: str) -> Made:
        server = self._idle(id)
        if server.status != "VERIFY_RESIZE":
            raise protocol.CloudConflict(f"server {id} is {server.status}")
        return server

    def _sized(self, server: Made, flavor: str, status: str) -> None:
        if server.order:
            server.order = dataclasses.replace(server.order, flavor=flavor)
        server.status, server.passing = status, "RESIZE"
        server.boots += 1
        server.until = self.world.clock() + self.world.pace.resize

    def _seen(self, server: Made) -> protocol.Server:
        held = [t for t in self.world.made.values() if t.server == server.id]
        order = server.order
        return protocol.Server(
            server.id,
            server.key,
            order.name if order else "",
            server.passing or server.status,
            flavor=_flavor(server) or None,
            fault=server.fault,
            volumes=tuple(t.id for t in held if t.kind == "volume"),
            addresses=tuple(a for t in held for a in t.addresses),
            host=server.host,
            image=order.image if order else None,
            mark=server.mark,
        )


def _flavor(server: Made) -> str:
    return server.order.flavor if server.order else ""
