# SPDX-License-Identifier: Apache-2.0
"""What there is to be had: flavors, volume types, public addresses."""

from trove import errors
from trove.actions import datastores
from trove.actions.services import Services
from trove.cloud import public
from trove.cloud.protocol import Flavor, VolumeType
from trove.db.tables import DatastoreVersion


def flavors(services: Services, which: str, name: str, inactive: bool) -> list[Flavor]:
    """The flavors that a version may have, smallest first."""
    _, version = datastores.version(services, which, name, inactive)
    some = set(version.flavors or ())
    return [each for each in services.flavors.all() if not some or each.id in some]


def volume_types(
    services: Services, which: str, name: str, inactive: bool
) -> list[VolumeType]:
    """The volume types that a version may have, by name."""
    _, version = datastores.version(services, which, name, inactive)
    return _types(services, version)


def flavor(services: Services, version: DatastoreVersion, id: str) -> Flavor:
    """The flavor that a request names; raises ``Invalid`` for one that is not there, or
    not for this version."""
    try:
        found = services.flavors.find(id)
    except errors.FlavorNotFound as missing:
        raise errors.Invalid(missing.message) from None
    if version.flavors and found.id not in version.flavors:
        raise errors.Invalid(
            f"The datastore version {version.name} cannot have the flavor {id}."
        )
    return found


def check_volume_type(
    services: Services, version: DatastoreVersion, wanted: str | None
) -> None:
    """By id or name. Raises ``Invalid``; none is the cloud's default, if that is all
    that there is to say."""
    if wanted is None:
        return
    if not any(wanted in (each.id, each.name) for each in _types(services, version)):
        raise errors.Invalid(
            f"The datastore version {version.name} cannot have the volume type "
            f"{wanted}."
        )


def check_public(services: Services) -> None:
    """Raises ``Invalid`` where there are no public addresses."""
    networks = services.cloud.network.networks()
    if public.choose(networks, services.settings.public_network) is None:
        raise errors.Invalid("This cloud has no network for public addresses.")


def _types(services: Services, version: DatastoreVersion) -> list[VolumeType]:
    some = set(version.volume_types or ())
    return [
        each
        for each in sorted(services.cloud.volumes.types(), key=lambda each: each.name)
        if not some or some & {each.id, each.name}
    ]
