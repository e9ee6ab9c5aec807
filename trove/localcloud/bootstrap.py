# SPDX-License-Identifier: Apache-2.0
"""The first contents: flavors, the network, and the guest image under its names."""

import dataclasses
import ipaddress
import time
import uuid

from trove.localcloud import guestimage, layout, releases, things
from trove.localcloud import store as stores

SPACE = uuid.UUID("8f9d5dc0-8a6b-4f3c-9a20-5a9a1a4c6f10")
SHARED = "service"
"""The owner of what everybody may use."""

FLAVORS = (
    ("1", "db.tiny", 512, 1),
    ("2", "db.small", 1024, 1),
    ("3", "db.medium", 2048, 2),
    ("4", "db.large", 4096, 2),
    ("5", "db.huge", 8192, 4),
)
DISK = 5
IMAGES = releases.first_names()
NETWORK = "trove"
PUBLIC = "public"


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What a deployment is, for the services' answers."""

    tag: str
    bridge: str
    region: str = "RegionOne"
    zone: str = "nova"
    hostname: str = "localcloud"


def named(*words: str) -> str:
    """An id that is the same for the same words."""
    return str(uuid.uuid5(SPACE, " ".join(words)))


def fill(
    store: stores.Store, place: layout.Layout, image: guestimage.GuestImage
) -> None:
    """The first contents are there; those that are, stay as they are."""
    now = time.time()
    with store.transaction() as tx:
        for id, name, ram, vcpus in FLAVORS:
            if tx.get(things.Flavor, id) is None:
                tx.put(things.Flavor(id, SHARED, name, now, now, ram, vcpus, DISK))
        _network(tx, place, now)
        _public_network(tx, place, now + 1e-3)  # listed after the guests' own
    enter(store, image)


def enter(store: stores.Store, image: guestimage.GuestImage) -> None:
    """The image is there under each of its names."""
    now = time.time()
    with store.transaction() as tx:
        for name, tags in image.names:
            id = named("image", name, image.name)
            if tx.get(things.Image, id) is None:
                directories = [str(layer) for layer in image.layers]
                row = things.Image(id, SHARED, name, now, now, directories, list(tags))
                tx.put(row)


def _network(tx: stores.Transaction, place: layout.Layout, now: float) -> None:
    network, subnet = named("network", place.tag), named("subnet", place.tag)
    last = ipaddress.IPv4Network(place.public_cidr)[0] - 1
    if tx.get(things.Network, network) is not None:
        _narrow(tx, subnet, last)
        return
    cidr = ipaddress.ip_network(place.cidr)
    tx.put(things.Network(network, SHARED, NETWORK, now, now, place.bridge))
    row = things.Subnet(
        id=subnet,
        project=SHARED,
        name=NETWORK,
        created=now,
        updated=now,
        network=network,
        cidr=str(cidr),
        gateway=place.host_address,
        first=str(cidr[2]),
        last=str(last),
    )
    tx.put(row)


def _narrow(tx: stores.Transaction, subnet: str, last: ipaddress.IPv4Address) -> None:
    """A deployment of before public addresses gave guests the whole range.

    Those that have an address above keep it: nobody is given one that is held.
    """
    row = tx.get(things.Subnet, subnet)
    if row is not None and ipaddress.IPv4Address(row.last) > last:
        row.last = str(last)
        tx.put(row)


def _public_network(tx: stores.Transaction, place: layout.Layout, now: float) -> None:
    network = named("network", place.tag, PUBLIC)
    if tx.get(things.Network, network) is not None:
        return
    tx.put(
        things.Network(
            *(network, SHARED, PUBLIC, now, now),
            bridge=place.bridge,
            shared=False,
            external=True,
        )
    )
    cidr = ipaddress.ip_network(place.public_cidr)
    row = things.Subnet(
        *(named("subnet", place.tag, PUBLIC), SHARED, PUBLIC, now, now),
        network=network,
        cidr=str(cidr),
        gateway=place.host_address,
        first=str(cidr[1]),
        last=str(cidr[-2]),
    )
    tx.put(row)


def used_layers(store: stores.Store) -> set[str]:
    """Every directory that a server runs on, or an image may start one from."""
    with store.transaction() as tx:
        used = {layer for image in tx.all(things.Image) for layer in image.layers}
        for server in tx.all(things.Server):
            if server.deleted is None:
                used.update(server.layers)
    return used


def retire(store: stores.Store, image: guestimage.GuestImage) -> None:
    """Images of these names that are not the newest go, but for those that servers
    run: a server that is built anew must have a way back."""
    names = [name for name, _ in image.names]
    newest = {named("image", name, image.name) for name in names}
    with store.transaction() as tx:
        alive = [row for row in tx.all(things.Server) if row.deleted is None]
        kept = newest | {row.image for row in alive}
        for row in tx.all(things.Image):
            if row.name in names and row.id not in kept:
                tx.drop(row)
