# SPDX-License-Identifier: Apache-2.0
"""An image in Glance: found by its content, or uploaded; never deleted."""

import pathlib
import typing

from trove import errors
from trove.guestimage import builder

CONTENT = "trove_sha256"
"""The property that holds the sum of the file that was uploaded."""

VERSIONS = {"bookworm": "12", "trixie": "13"}


class Missing(errors.Upstream):
    """There is no cloud to speak to."""

    sentence = (
        "No cloud is named: set OS_CLOUD and clouds.yaml, or the OS_* variables of an "
        "openrc file ({why})"
    )


def connect() -> typing.Any:
    """The cloud of clouds.yaml or the OS_* variables."""
    import openstack
    from keystoneauth1 import exceptions as keystone
    from openstack import exceptions

    try:
        return openstack.connect(app_name="trove-guest-image")
    except (exceptions.ConfigException, keystone.MissingRequiredOptions) as error:
        raise Missing(why=str(error)) from None


def properties(label: builder.Label) -> dict[str, str]:
    """What Nova, and whoever looks, is told of the image."""
    return {
        CONTENT: label.sha256,
        "architecture": "x86_64",
        "hw_firmware_type": "bios",
        # The agent of Trove is not that of QEMU: Nova must not wait for one.
        "hw_qemu_guest_agent": "no",
        "hw_rng_model": "virtio",
        "os_distro": "debian",
        "os_type": "linux",
        "os_version": VERSIONS.get(label.release, label.release),
    }


def find(cloud: typing.Any, label: builder.Label) -> typing.Any:
    """The image with this content and these tags, if it is there and whole."""
    for image in cloud.image.images(tag=list(label.tags), status="active"):
        told = dict(image.properties or {})
        if told.get(CONTENT) == label.sha256 and set(label.tags) <= set(image.tags):
            return image
    return None


def upload(
    cloud: typing.Any,
    path: pathlib.Path,
    label: builder.Label,
    name: str,
    public: bool,
) -> typing.Any:
    """The image, uploaded. Its smallest disk is the image's own, in whole GiB."""
    return cloud.image.create_image(
        name,
        filename=str(path),
        disk_format=label.format,
        container_format="bare",
        sha256=label.sha256,
        tags=list(label.tags),
        allow_duplicates=True,
        disable_vendor_agent=False,
        meta={
            **properties(label),
            "visibility": "public" if public else "private",
            "min_disk": -(-label.virtual // 2**30),
        },
    )
