# SPDX-License-Identifier: Apache-2.0
"""A whole cloud in a dict, for unit and chaos tests: what a caller sees of a real one.

Things take their time on an injected clock, may stay invisible to lists for a while,
and a volume goes to one server only. ``before`` and ``after`` are told of every call
and may raise: before the deed nothing has happened, after it the reply is lost. A group
is made in two calls, as in Neutron, so that a test can crash between them.
"""

import typing

from trove.cloud import protocol
from trove.cloud.memory.caller import Caller
from trove.cloud.memory.compute import Compute
from trove.cloud.memory.images import Images
from trove.cloud.memory.network import Network
from trove.cloud.memory.servergroups import ServerGroups
from trove.cloud.memory.snapshots import Snapshots
from trove.cloud.memory.volumes import Volumes
from trove.cloud.memory.world import (
    After,
    Before,
    Made,
    Pace,
    Thing,
    View,
    World,
    silent,
)

__all__ = ["MemoryCloud", "Pace", "Thing", "World", "connect"]


class MemoryCloud(View):
    """One deployment's view of a world, and the tests' hands in it.

    ``about`` is what ``World`` takes, when no ``world`` is given.
    """

    def __init__(
        self,
        *,
        deployment: str = "memory",
        world: World | None = None,
        before: Before = silent,
        after: After = silent,
        **about: typing.Any,
    ) -> None:
        super().__init__(world or World(**about), deployment, before, after)
        self.compute: protocol.Compute = Compute(self)
        self.server_groups: protocol.ServerGroups = ServerGroups(self)
        self.volumes: protocol.Volumes = Volumes(self)
        self.snapshots: protocol.Snapshots = Snapshots(self)
        self.network: protocol.Networking = Network(self)
        self.images: protocol.Images = Images(self)

    def seen_by(self, address: str, token: str) -> protocol.Caller:
        """For the project that the address ends with, after a colon."""
        return Caller(self.world, address)

    def things(self) -> frozenset[Thing]:
        """Everything that exists now, listed yet or not, whoever made it."""
        with self.world.lock:
            self.world.pass_time()
            return frozenset(
                Thing(t.kind, t.id, t.key, t.deployment, t.retained)
                for t in self.world.made.values()
            )

    def lend(
        self,
        project: str,
        network: str,
        *addresses: str,
        id: str | None = None,
        server: str | None = None,
    ) -> str:
        """A port that somebody of this project made; its id. ``server`` has it."""
        with self.world.lock:
            port = self.world.add(Made("port", "", "", self.world.clock()))
            port.project, port.network, port.server = project, network, server
            port.addresses = addresses
            if id is not None:
                self.world.made[id] = self.world.made.pop(port.id)
                port.id = id
        return port.id

    def spoil(self, id: str, fault: str = "No valid host was found.") -> None:
        """Puts a server or a volume into error, as a scheduler or a disk would."""
        with self.world.lock:
            thing = self.world.made[id]
            thing.status = "ERROR" if thing.kind == "server" else "error"
            thing.passing, thing.fault = "", fault


def connect(*, deployment: str = "memory", **_: object) -> protocol.Cloud:
    """What the registry calls; where a real cloud is does not matter here."""
    return MemoryCloud(deployment=deployment)
