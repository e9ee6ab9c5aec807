# SPDX-License-Identifier: Apache-2.0
"""Images, through openstacksdk."""

import typing

from trove.cloud import protocol
from trove.cloud.openstack import faults
from trove.cloud.openstack.session import Access


class Images:
    """Glance, as the protocol wants it."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def show(self, id: str) -> protocol.Image | None:
        """An image, or None."""
        with faults.UnlessAbsent(), self._access.using("images.show") as clients:
            return _image(clients.sdk.image.get_image(faults.plain(id)))
        return None

    def newest(self, tags: tuple[str, ...]) -> protocol.Image | None:
        """The newest active image that has all the tags."""
        with self._access.using("images.newest") as clients:
            found = [
                image
                for image in clients.sdk.image.images(
                    tag=list(tags), status="active", sort="created_at:desc"
                )
                if set(tags) <= set(image.tags or ()) and image.status == "active"
            ]
            found.sort(key=lambda image: (image.created_at or "", image.id))
            return _image(found[-1]) if found else None


def _image(image: typing.Any) -> protocol.Image:
    if not image.id or image.status is None:
        raise ValueError("the reply tells of nothing")
    return protocol.Image(image.id, image.name or "", tuple(image.tags or ()))
