# SPDX-License-Identifier: Apache-2.0
"""Guest images: the cloud's, believed for half a minute, so that a create asks none."""

import threading
import time
from collections.abc import Callable

from trove import errors
from trove.cloud.protocol import Images
from trove.db.tables import DatastoreVersion

BELIEVED = 30.0
"""Seconds. Who replaces an image leaves the old one there for as long."""

MOST = 1000
"""Of what is remembered; versions are few."""


class Chosen:
    """The image that a datastore version boots from, by its id or its newest tags."""

    def __init__(
        self, images: Images, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._images, self._clock = images, clock
        self._lock = threading.Lock()
        self._known: dict[tuple[str, ...], tuple[float, str]] = {}

    def image(self, version: DatastoreVersion) -> str:
        """Its id; raises ``Invalid`` when there is none.

        Only what is there is believed: one that comes is found at once.
        """
        with self._lock:
            known = self._known.get(_key(version))
        if known is not None and self._clock() - known[0] < BELIEVED:
            return known[1]
        return self.newest(version)

    def newest(self, version: DatastoreVersion) -> str:
        """The same, and the cloud is asked: who brought an image means that one."""
        found = self._look(version)
        with self._lock:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[_key(version)] = (self._clock(), found)
        return found

    def _look(self, version: DatastoreVersion) -> str:
        image = None
        if version.image_id:
            image = self._images.show(version.image_id)
        elif version.image_tags:
            image = self._images.newest(tuple(version.image_tags))
        if image is None:
            raise errors.Invalid(
                f"There is no image for the datastore version {version.name}."
            )
        return image.id


def _key(version: DatastoreVersion) -> tuple[str, ...]:
    """What its image is found by."""
    return (version.image_id or "", *(version.image_tags or ()))
