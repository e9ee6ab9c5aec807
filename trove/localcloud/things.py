# SPDX-License-Identifier: Apache-2.0
"""Things: what the local cloud keeps, as plain rows of plain values."""

import dataclasses
import typing


@dataclasses.dataclass(slots=True)
class Thing:
    """What every row has. ``created`` and ``updated`` are seconds since the epoch."""

    id: str
    project: str
    name: str
    created: float
    updated: float


@dataclasses.dataclass(slots=True)
class Flavor(Thing):
    """A size of server; ``ram`` in MiB, ``disk`` in GiB."""

    ram: int
    vcpus: int
    disk: int


@dataclasses.dataclass(slots=True)
class Image(Thing):
    """What a server boots from: directories, topmost first."""

    layers: list[str]
    tags: list[str]


@dataclasses.dataclass(slots=True)
class Secret(Thing):
    """A project's secret; ``payload`` is sealed, ``about`` is what was said of it."""

    creator: str
    type: str
    about: dict[str, typing.Any]
    payload: str | None = None
    content_type: str | None = None


@dataclasses.dataclass(slots=True)
class Network(Thing):
    """A network on this host; ``bridge`` is its interface."""

    bridge: str
    shared: bool = True
    external: bool = False
    """Floating IPs are of it, and no server is on it."""
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class Subnet(Thing):
    """The addresses of a network."""

    network: str
    cidr: str
    gateway: str
    first: str
    last: str
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class Port(Thing):
    """A place on a network. ``made_by_server``: it goes when its server goes.

    ``pairs``: addresses and ranges beside its own that it may speak with.
    """

    network: str
    subnet: str
    mac: str
    address: str
    groups: list[str]
    server: str = ""
    owner: str = ""
    made_by_server: bool = False
    admin_up: bool = True
    description: str = ""
    tags: list[str] = dataclasses.field(default_factory=list)
    pairs: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class FloatingIP(Thing):
    """An address of an external network; ``port`` is where it leads to, or empty."""

    network: str
    address: str
    port: str = ""
    description: str = ""
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class Group(Thing):
    """A security group."""

    description: str = ""
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class Rule(Thing):
    """A rule of a security group, in Neutron's words."""

    group: str
    direction: str
    ethertype: str = "IPv4"
    protocol: str | None = None
    low: int | None = None
    high: int | None = None
    remote_cidr: str | None = None
    remote_group: str | None = None
    description: str = ""

    def says(self) -> tuple[object, ...]:
        """What makes two rules of a group the same."""
        ends = (self.remote_cidr, self.remote_group)
        return (
            self.direction,
            self.ethertype,
            self.protocol,
            self.low,
            self.high,
            ends,
        )


@dataclasses.dataclass(slots=True)
class Volume(Thing):
    """A block device; ``size`` in GiB. ``status`` is Cinder's word.

    While ``status`` is creating, deleting or extending, the keeper has work to do.
    """

    size: int
    status: str
    description: str = ""
    type: str = "local"
    zone: str = "nova"
    user: str = ""
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)
    image: str | None = None
    """That it was made of, as a server's root."""
    snapshot: str | None = None
    """That it was made of."""


@dataclasses.dataclass(slots=True)
class Snapshot(Thing):
    """What was on a volume at a moment; ``size`` and ``status`` as a volume's."""

    volume: str
    size: int
    status: str
    description: str = ""
    user: str = ""
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class Attachment(Thing):
    """A volume in a server, as ``node``. ``state``: attaching, attached, detaching;
    reserved, where a server was meant to have it.

    The row is named after the volume: a volume is in one server at most.
    """

    server: str
    node: str
    state: str
    delete_with_server: bool = False


@dataclasses.dataclass(slots=True)
class Server(Thing):
    """A server. ``status`` is Nova's word; ``doing`` is the keeper's work, or None.

    ``wanted`` is ``running`` or ``stopped``: what the machine is made to be after the
    host or this process came back.
    """

    user: str
    flavor: str
    image: str
    layers: list[str]
    status: str = "BUILD"
    doing: str | None = "building"
    wanted: str = "running"
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)
    tags: list[str] = dataclasses.field(default_factory=list)
    zone: str = "nova"
    group: str | None = None
    user_data: str | None = None
    config_drive: bool = False
    old_flavor: str | None = None
    root: str | None = None
    """The volume that its root is; None: it is on the host."""
    generation: int = 0
    """How often it was rebuilt."""
    fault: dict[str, object] | None = None
    launched: float | None = None
    deleted: float | None = None


@dataclasses.dataclass(slots=True)
class ServerGroup(Thing):
    """Servers that are to be kept apart, or together."""

    policy: str
    user: str = ""
