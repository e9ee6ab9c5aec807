# SPDX-License-Identifier: Apache-2.0
"""What a cloud must offer: plain values, and six protocols over them.

Every maker takes a ``key`` (``model/naming.py``) and marks the thing with it, and
``find`` answers *all* things of a key, oldest first, so that the caller can adopt what
an earlier attempt made. Deleting what is not there is success, and so is to stop what
is stopped, to start what runs, or to extend to the size that is there. Failures are the
errors of this module, by the classes of operations.md; a caller looks at the class.
"""

import dataclasses
import ipaddress
import typing

from trove import errors
from trove.cloud.blockstorage import Snapshot as Snapshot
from trove.cloud.blockstorage import Snapshots as Snapshots
from trove.cloud.blockstorage import Volume as Volume
from trove.cloud.blockstorage import Volumes as Volumes
from trove.cloud.blockstorage import VolumeType as VolumeType


class Passing(errors.Upstream):
    """The cloud could not answer now (5xx, time-out, 401 twice, 429): try again.

    ``retry_after`` is in seconds, or None when the cloud did not say.
    """

    def __init__(self, why: str, retry_after: float | None = None) -> None:
        super().__init__(why=why)
        self.retry_after = retry_after


class Unknown(Passing):
    """A request to make something may or may not have been carried out: look again."""


class Refused(errors.Upstream):
    """The cloud will never do this (400, 403, a 404 on what a create refers to)."""

    def __init__(self, why: str, status: int | None = None) -> None:
        super().__init__(why=why)
        self.status = status


class CloudConflict(Passing):
    """The cloud says that the thing is not in a state for this (409): look again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Flavor:
    """A size of server. ``ram`` in MiB, ``disk`` and ``ephemeral`` in GiB."""

    id: str
    name: str
    ram: int
    vcpus: int
    disk: int
    ephemeral: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """What a server boots from."""

    id: str
    name: str
    tags: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Network:
    """A network and its subnets' ranges. ``public``: floating IPs are taken of it."""

    id: str
    name: str
    cidrs: tuple[str, ...] = ()
    public: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a security group. ``direction`` is ``ingress`` or ``egress``.

    ``port`` None means every port of the protocol; ``protocol`` None, every protocol;
    ``cidr`` None, everywhere. The range is kept as clouds keep it, without host bits,
    so that what was asked for equals what is told.
    """

    direction: str
    protocol: str | None = "tcp"
    port: int | None = None
    cidr: str | None = None

    def __post_init__(self) -> None:
        if self.cidr is not None:
            plain = str(ipaddress.ip_network(self.cidr, strict=False))
            object.__setattr__(self, "cidr", plain)


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """A security group."""

    id: str
    key: str | None
    rules: tuple[Rule, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Port:
    """A server's place on a network, or one that a user keeps for later.

    ``subnets`` are those of the addresses, in their order. ``pairs`` are the addresses
    beside its own that it may speak with. ``bound``: somebody uses it.
    """

    id: str
    key: str | None
    network: str
    addresses: tuple[str, ...] = ()
    server: str | None = None
    groups: tuple[str, ...] = ()
    project: str | None = None
    subnets: tuple[str, ...] = ()
    mac: str = ""
    pairs: tuple[str, ...] = ()
    bound: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class FloatingIP:
    """A public address, and the port that it leads to."""

    id: str
    key: str | None
    address: str
    port: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Server:
    """A machine.

    ``status`` is one of: BUILD, ACTIVE, REBOOT, RESIZE, VERIFY_RESIZE, SHUTOFF, ERROR,
    UNKNOWN. ``fault`` is the cloud's sentence when it is ERROR.
    """

    id: str
    key: str | None
    name: str
    status: str
    flavor: str | None = None
    fault: str | None = None
    volumes: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    host: str | None = None
    image: str | None = None
    mark: str | None = None
    """What the last rebuild was marked with."""

    @property
    def moving(self) -> bool:
        """Whether the cloud is at work on it."""
        return self.status in ("BUILD", "REBOOT", "RESIZE")

    @property
    def lost(self) -> bool:
        """Whether it is not to be had, whoever asks."""
        return self.status in ("ERROR", "UNKNOWN")


@dataclasses.dataclass(frozen=True, slots=True)
class ServerGroup:
    """Servers that the scheduler keeps together, or apart."""

    id: str
    key: str | None
    policy: str


@dataclasses.dataclass(frozen=True, slots=True)
class Boot:
    """An order for a server. ``name`` is what the user called the instance."""

    name: str
    image: str
    flavor: str
    ports: tuple[str, ...]
    volume: str | None
    user_data: str
    availability_zone: str | None = None
    server_group: str | None = None


class Compute(typing.Protocol):
    """Servers and flavors (Nova)."""

    def flavors(self) -> list[Flavor]: ...

    def flavor(self, id: str) -> Flavor:
        """Raises ``errors.FlavorNotFound``."""

    def find(self, key: str) -> list[Server]: ...

    def owned(self) -> list[Server]:
        """Every server that carries this deployment's tag."""

    def boot(self, key: str, order: Boot) -> Server: ...

    def show(self, id: str) -> Server | None: ...

    def delete(self, id: str) -> None: ...

    def reboot(self, id: str, hard: bool = False) -> None: ...

    def stop(self, id: str) -> None: ...

    def start(self, id: str) -> None: ...

    def attach(self, id: str, volume: str) -> None:
        """Asks for a server to have a volume that is available."""

    def detach(self, id: str, volume: str) -> None:
        """Asks for a server to have it no more; one that it does not have is fine."""

    def resize(self, id: str, flavor: str) -> None:
        """Asks for another size; the server restarts, and is VERIFY_RESIZE then."""

    def migrate(self, id: str, host: str | None = None) -> None:
        """Asks for another host, the cloud's choice or this one; then as a resize."""

    def confirm(self, id: str) -> None:
        """One that is VERIFY_RESIZE keeps its new size, or its new host."""

    def revert(self, id: str) -> None:
        """One that is VERIFY_RESIZE gets its size before; it restarts again."""

    def rebuild(self, id: str, image: str, user_data: str, mark: str) -> None:
        """Its root is the image's, anew; id, ports and volumes stay.

        BUILD until it is ACTIVE. Its ``mark`` is told from the moment that the cloud
        has taken the order, so a lost reply is no riddle.
        """

    def console(self, id: str, lines: int = 100) -> str: ...


class ServerGroups(typing.Protocol):
    """Groups of servers (Nova)."""

    def find(self, key: str) -> list[ServerGroup]: ...

    def owned(self) -> list[ServerGroup]: ...

    def create(self, key: str, policy: str) -> ServerGroup:
        """``policy``: affinity or anti-affinity, either also with ``soft-``."""

    def show(self, id: str) -> ServerGroup | None: ...

    def delete(self, id: str) -> None:
        """Its servers stay where they are."""


class Networking(typing.Protocol):
    """Networks, ports, security groups and floating IPs (Neutron)."""

    def network(self, id: str) -> Network | None: ...

    def networks(self) -> list[Network]: ...

    def find_ports(self, key: str) -> list[Port]: ...

    def owned_ports(self) -> list[Port]: ...

    def create_port(
        self,
        key: str,
        network: str,
        groups: tuple[str, ...],
        address: str | None = None,
        subnet: str | None = None,
        pairs: tuple[str, ...] = (),
    ) -> Port: ...

    def show_port(self, id: str) -> Port | None:
        """Any that the service may see, also one of a user's project."""

    def delete_port(self, id: str) -> None: ...

    def set_pairs(self, id: str, pairs: tuple[str, ...]) -> None:
        """A port speaks with these beside its own, and no others."""

    def find_groups(self, key: str) -> list[Group]: ...

    def owned_groups(self) -> list[Group]: ...

    def create_group(self, key: str, rules: tuple[Rule, ...]) -> Group:
        """A group with exactly ``rules`` (no default egress)."""

    def delete_group(self, id: str) -> None: ...

    def find_floating_ips(self, key: str) -> list[FloatingIP]: ...

    def owned_floating_ips(self) -> list[FloatingIP]: ...

    def create_floating_ip(self, key: str, network: str, port: str) -> FloatingIP:
        """An address of that public network, which leads to the port at once."""

    def show_floating_ip(self, id: str) -> FloatingIP | None: ...

    def delete_floating_ip(self, id: str) -> None: ...


class Images(typing.Protocol):
    """Images (Glance)."""

    def show(self, id: str) -> Image | None: ...

    def newest(self, tags: tuple[str, ...]) -> Image | None:
        """The newest active image that has all the tags."""


class Caller(typing.Protocol):
    """Networks as somebody's own token shows them: what he may name, and no more."""

    def network(self, id: str) -> bool:
        """Whether there is such a network for him."""

    def subnet(self, id: str) -> str | None:
        """The network that a subnet is of; None if there is none for him."""

    def port(self, id: str) -> bool:
        """Whether there is such a port for him."""

    def close(self) -> None:
        """Ends what is open."""


class Cloud(typing.Protocol):
    """A whole cloud, in one region, seen with the service's own credentials."""

    compute: Compute
    server_groups: ServerGroups
    volumes: Volumes
    snapshots: Snapshots
    network: Networking
    images: Images

    def seen_by(self, address: str, token: str) -> Caller:
        """The networks for a caller; ``address`` is the one of his own catalogue."""
