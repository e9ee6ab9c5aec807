# SPDX-License-Identifier: Apache-2.0
"""The memory cloud's server groups."""

from trove.cloud import protocol
from trove.cloud.memory.world import Made, Part, call

POLICIES = ("affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity")


def _seen(group: Made) -> protocol.ServerGroup:
    return protocol.ServerGroup(group.id, group.key, group.type or "")


class ServerGroups(Part):
    noun = "server_groups"

    @call
    def find(self, key: str) -> list[protocol.ServerGroup]:
        return [_seen(t) for t in self._keyed("server_group", key)]

    @call
    def owned(self) -> list[protocol.ServerGroup]:
        return [_seen(t) for t in self._mine("server_group")]

    @call
    def create(self, key: str, policy: str) -> protocol.ServerGroup:
        if policy not in POLICIES:
            raise protocol.Refused(f"there is no policy {policy}", status=400)
        group = self._new("server_group", key)
        group.type = policy
        return _seen(self.world.add(group))

    @call
    def show(self, id: str) -> protocol.ServerGroup | None:
        found = self.world.get("server_group", id)
        return _seen(found) if found else None

    @call
    def delete(self, id: str) -> None:
        if found := self.world.get("server_group", id):
            self.world.remove(found)
