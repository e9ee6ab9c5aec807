# SPDX-License-Identifier: Apache-2.0
"""The memory cloud's key manager: the secrets of the service's own project."""

import os

from trove import errors
from trove.cloud.memory.world import Part, call

BYTES = 32


class KeyManager(Part):
    """``storage.managed.Manager``; its secrets are the world's."""

    noun = "keys"

    @call
    def check(self) -> None:
        """There is one."""

    @call
    def named(self, name: str) -> list[str]:
        return [id for id, made in self.world.secrets.items() if made[0] == name]

    @call
    def make(self, name: str) -> str:
        id = self.world.new_id()
        self.world.secrets[id] = (name, os.urandom(BYTES))
        return id

    @call
    def secret(self, id: str) -> bytes:
        if id not in self.world.secrets:
            raise errors.NotFound(what="Secret", id=id)
        return self.world.secrets[id][1]

    @call
    def delete(self, id: str) -> None:
        self.world.secrets.pop(id, None)
