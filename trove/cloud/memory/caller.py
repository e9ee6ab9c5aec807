# SPDX-License-Identifier: Apache-2.0
"""The memory cloud's networks, as one project's members see them."""

from trove.cloud.memory.world import World

SUBNET = "subnet-of-"
"""Each network has one, of this name and its own."""


class Caller:
    """A member of ``project``, which its address names as Swift's addresses do."""

    def __init__(self, world: World, address: str) -> None:
        self._world = world
        self._project = address.rpartition(":")[2]

    def network(self, id: str) -> bool:
        """One that is there, and everybody's or the project's own."""
        world = self._world
        return id in world.networks and self._project == world.private.get(
            id, self._project
        )

    def subnet(self, id: str) -> str | None:
        """The network that a subnet is of; None if there is none for him."""
        network = id.removeprefix(SUBNET)
        return network if network != id and self.network(network) else None

    def port(self, id: str) -> bool:
        """One of the project's."""
        port = self._world.get("port", id)
        return port is not None and port.project == self._project

    def close(self) -> None:
        """Nothing is open."""
