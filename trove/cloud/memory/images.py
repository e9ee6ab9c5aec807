# SPDX-License-Identifier: Apache-2.0
"""The memory cloud's images."""

from trove.cloud import protocol
from trove.cloud.memory.world import Part, call


class Images(Part):
    noun = "images"

    @call
    def show(self, id: str) -> protocol.Image | None:
        return self.world.images.get(id)

    @call
    def newest(self, tags: tuple[str, ...]) -> protocol.Image | None:
        for image in reversed(self.world.images.values()):
            if set(tags) <= set(image.tags):
                return image
        return None
