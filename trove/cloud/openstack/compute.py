# SPDX-License-Identifier: Apache-2.0
"""Servers and flavors, through python-novaclient.

A server carries its key and its deployment as Nova tags, given with the order itself,
so there is no moment at which it exists without them.
"""

import collections.abc
import contextlib
import time
import typing

from trove import errors
from trove.cloud import protocol
from trove.cloud.openstack import faults
from trove.cloud.openstack.session import Access, Clients
from trove.model import naming

_STATUS = {
    "BUILD": "BUILD",
    "ACTIVE": "ACTIVE",
    "REBUILD": "BUILD",
    "REBOOT": "REBOOT",
    "HARD_REBOOT": "REBOOT",
    "RESIZE": "RESIZE",
    "MIGRATING": "RESIZE",
    "REVERT_RESIZE": "RESIZE",
    "VERIFY_RESIZE": "VERIFY_RESIZE",
    "SHUTOFF": "SHUTOFF",
    "ERROR": "ERROR",
}
MARK, IMAGE = "trove-rebuild", "trove-image"
"""Keys in a server's metadata: of a rebuild's mark, and of the image that its root was
made of, which Nova does not tell where the root is a volume."""
_NAMES_AGE = 60.0
_PAGE = 1000


@contextlib.contextmanager
def _of_its_state() -> collections.abc.Iterator[None]:
    """Nova says 400 of a volume that is not in the state for it; it may be soon."""
    try:
        yield
    except protocol.Refused as refused:
        if refused.status != 400:
            raise
        raise protocol.CloudConflict(f"{refused}") from refused


class Compute:
    """Nova, as the protocol wants it."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._names: dict[str, str] = {}
        self._named_at = -_NAMES_AGE

    def flavors(self) -> list[protocol.Flavor]:
        """Every flavor of the service's project, cheapest first."""
        with self._access.using("compute.flavors") as clients:
            found: list[protocol.Flavor] = []
            while True:
                marker = found[-1].id if found else None
                page = clients.nova.flavors.list(marker=marker, limit=_PAGE)
                found += [_flavor(flavor.to_dict()) for flavor in page]
                if len(page) < _PAGE:
                    return sorted(found, key=lambda flavor: (flavor.ram, flavor.id))

    def flavor(self, id: str) -> protocol.Flavor:
        """Raises ``errors.FlavorNotFound``."""
        with faults.UnlessAbsent(), self._access.using("compute.flavor") as clients:
            return _flavor(clients.nova.flavors.get(faults.plain(id)).to_dict())
        raise errors.FlavorNotFound(id=id)

    def find(self, key: str) -> list[protocol.Server]:
        """Servers of this deployment with this key, oldest first."""
        # They are one, or two by mischance: no second page is asked for.
        tags = naming.tags(key, self._access.settings.deployment)
        return self._tagged(tags, most=None)

    def owned(self) -> list[protocol.Server]:
        """Every server that carries this deployment's tag."""
        deployment = self._access.settings.deployment
        return self._tagged((naming.DEPLOYMENT_TAG + deployment,), most=-1)

    def boot(self, key: str, order: protocol.Boot) -> protocol.Server:
        """Orders a server whose root is the image's; the volume is its data disk."""
        root = self._root(order.image)
        tags = naming.tags(key, self._access.settings.deployment)
        hints = {"group": order.server_group} if order.server_group else None
        with self._access.using("compute.boot", making=True) as clients:
            made = clients.nova.servers.create(
                _name(order.name) or key,
                None if root else order.image,
                order.flavor,
                meta={IMAGE: order.image} if root else None,
                nics=[{"port-id": port} for port in order.ports] or "none",
                block_device_mapping_v2=[*root, *_disks(order.volume)] or None,
                userdata=order.user_data,
                config_drive=True,
                tags=list(tags),
                availability_zone=order.availability_zone,
                scheduler_hints=hints,
            )
            id = str(made.to_dict()["id"])
        # Nova's answer to an order is the id alone, and to look again could fail.
        return protocol.Server(
            id,
            key,
            order.name,
            "BUILD",
            flavor=order.flavor,
            volumes=(order.volume,) if order.volume else (),
        )

    def show(self, id: str) -> protocol.Server | None:
        """A server, or None when there is none (any more)."""
        with faults.UnlessAbsent(), self._access.using("compute.show") as clients:
            server = clients.nova.servers.get(faults.plain(id)).to_dict()
            return self._seen(server, self._flavors_by_name(clients, [server]))
        return None

    def delete(self, id: str) -> None:
        """Asks for a server's end, which takes a while."""
        with faults.UnlessAbsent(), self._access.using("compute.delete") as clients:
            clients.nova.servers.delete(faults.plain(id))

    def reboot(self, id: str, hard: bool = False) -> None:
        """Asks for a reboot."""
        with self._access.using("compute.reboot") as clients:
            kind = "HARD" if hard else "SOFT"
            clients.nova.servers.reboot(faults.plain(id), reboot_type=kind)

    def stop(self, id: str) -> None:
        """Asks for a server to be shut off; one that is, is left as it is."""
        self._turn("stop", id, already="SHUTOFF")

    def start(self, id: str) -> None:
        """Asks for a server to be started; one that is, is left as it is."""
        self._turn("start", id, already="ACTIVE")

    def attach(self, id: str, volume: str) -> None:
        """Asks for a server to have a volume."""
        with _of_its_state(), self._access.using("compute.attach") as clients:
            clients.nova.volumes.create_server_volume(
                faults.plain(id), faults.plain(volume)
            )

    def detach(self, id: str, volume: str) -> None:
        """Asks for a server to have it no more."""
        with (
            faults.UnlessAbsent(),
            _of_its_state(),
            self._access.using("compute.detach") as clients,
        ):
            clients.nova.volumes.delete_server_volume(
                faults.plain(id), faults.plain(volume)
            )

    def resize(self, id: str, flavor: str) -> None:
        """Asks for another size."""
        with self._access.using("compute.resize") as clients:
            clients.nova.servers.resize(faults.plain(id), flavor)

    def migrate(self, id: str, host: str | None = None) -> None:
        """Asks for another host. A live migration would need shared storage."""
        with self._access.using("compute.migrate") as clients:
            clients.nova.servers.migrate(faults.plain(id), host=host)

    def confirm(self, id: str) -> None:
        """Keeps the new size."""
        with self._resized("compute.confirm") as clients:
            clients.nova.servers.confirm_resize(faults.plain(id))

    def revert(self, id: str) -> None:
        """Takes the size before."""
        with self._resized("compute.revert") as clients:
            clients.nova.servers.revert_resize(faults.plain(id))

    @contextlib.contextmanager
    def _resized(self, what: str) -> collections.abc.Iterator[Clients]:
        """Nova says 400 while it carries out an earlier one, and still shows the server
        as resized: it is to be looked at again, as after a 409."""
        try:
            with self._access.using(what) as clients:
                yield clients
        except protocol.Refused as refused:
            if refused.status == 400:
                raise protocol.CloudConflict(refused.message) from refused
            raise

    def rebuild(self, id: str, image: str, user_data: str, mark: str) -> None:
        """The root anew; the mark is metadata, which Nova keeps before it answers."""
        with self._access.using("compute.rebuild") as clients:
            meta = {MARK: mark, **({IMAGE: image} if self._root(image) else {})}
            clients.nova.servers.rebuild(
                faults.plain(id), image, userdata=user_data, meta=meta
            )

    def console(self, id: str, lines: int = 100) -> str:
        """The last lines of the console."""
        with self._access.using("compute.console") as clients:
            return str(clients.nova.servers.get_console_output(faults.plain(id), lines))

    def _root(self, image: str) -> list[dict[str, typing.Any]]:
        """The root's part of a block device mapping; nothing: it is on the host.

        Such a volume is Nova's own: it comes and goes with the server.
        """
        settings = self._access.settings
        if settings.root_volume is None:
            return []
        typed = {"volume_type": settings.root_volume_type}
        return [
            {
                "uuid": image,
                "source_type": "image",
                "destination_type": "volume",
                "boot_index": 0,
                "volume_size": settings.root_volume,
                "delete_on_termination": True,
                **(typed if settings.root_volume_type else {}),
            }
        ]

    def _turn(self, verb: str, id: str, already: str) -> None:
        try:
            with self._access.using(f"compute.{verb}") as clients:
                getattr(clients.nova.servers, verb)(faults.plain(id))
        except protocol.CloudConflict:
            # The reply to an earlier attempt may have been lost.
            server = self.show(id)
            if server is None or server.status != already:
                raise

    def _tagged(self, tags: tuple[str, ...], most: int | None) -> list[protocol.Server]:
        """``most`` as novaclient's: None is one page, and -1 is every page."""
        wanted = {"tags": ",".join(tags)}

        def listing(clients: Clients) -> list[protocol.Server]:
            answer = clients.nova.servers.list(search_opts=wanted, limit=most)
            # One that Nova builds can be on a page and on the next one again: it comes
            # from two of its databases. What was seen last is what it is.
            found = {server.id: server.to_dict() for server in answer}.values()
            # To adopt another's server would be worse than to find none.
            mine = [server for server in found if set(tags) <= set(server["tags"])]
            mine.sort(key=lambda server: (server.get("created") or "", server["id"]))
            names = self._flavors_by_name(clients, mine)
            return [self._seen(server, names) for server in mine]

        return self._access.listed("compute.list", listing)

    def _flavors_by_name(
        self, clients: typing.Any, servers: list[dict[str, typing.Any]]
    ) -> dict[str, str]:
        # Since 2.47 a server tells its flavor by name only; names are unique in Nova.
        wanted = {_flavor_name(server) for server in servers} - {None}
        old = time.monotonic() - self._named_at > _NAMES_AGE
        if not wanted <= self._names.keys() and old:
            flavors = clients.nova.flavors.list(is_public=None)
            self._names = {flavor.name: flavor.id for flavor in flavors}
            self._named_at = time.monotonic()
        return self._names

    def _seen(
        self, server: dict[str, typing.Any], names: dict[str, str]
    ) -> protocol.Server:
        keys = [t for t in server.get("tags", ()) if t.startswith(naming.KEY_TAG)]
        name = _flavor_name(server)
        fault, told = server.get("fault") or {}, server.get("metadata") or {}
        return protocol.Server(
            str(server["id"]),
            keys[0].removeprefix(naming.KEY_TAG) if keys else None,
            server["name"],
            _STATUS.get(server["status"], "UNKNOWN"),
            flavor=server["flavor"].get("id") or (names.get(name) if name else None),
            fault=fault.get("message"),
            volumes=tuple(
                volume["id"]
                for volume in server.get("os-extended-volumes:volumes_attached", ())
            ),
            addresses=tuple(
                address["addr"]
                for network in (server.get("addresses") or {}).values()
                for address in network
            ),
            host=server.get("OS-EXT-SRV-ATTR:host") or server.get("hostId") or None,
            image=(server.get("image") or {}).get("id") or told.get(IMAGE),
            mark=told.get(MARK),
        )


def _name(wanted: str) -> str:
    """A user's name as far as Nova takes it: a name must not fail a boot."""
    return "".join(c for c in wanted if c.isprintable())[:255].strip()


def _disks(volume: str | None) -> list[dict[str, typing.Any]]:
    if volume is None:
        return []
    return [
        {
            "uuid": volume,
            "source_type": "volume",
            "destination_type": "volume",
            "boot_index": -1,
            # The data outlives the server; only a flow deletes it.
            "delete_on_termination": False,
        }
    ]


def _flavor(flavor: dict[str, typing.Any]) -> protocol.Flavor:
    return protocol.Flavor(
        str(flavor["id"]),
        flavor["name"],
        int(flavor["ram"]),
        int(flavor["vcpus"]),
        int(flavor["disk"]),
        int(flavor.get("OS-FLV-EXT-DATA:ephemeral") or 0),
    )


def _flavor_name(server: dict[str, typing.Any]) -> str | None:
    name = server["flavor"].get("original_name")
    return str(name) if name else None
