# SPDX-License-Identifier: Apache-2.0
"""What exists in a memory cloud, its clock, and the hooks told of every call."""

import collections.abc
import dataclasses
import functools
import inspect
import threading
import time
import typing
import uuid

from trove.cloud import protocol

Before = typing.Callable[[str, dict[str, typing.Any]], None]
After = typing.Callable[[str, dict[str, typing.Any], typing.Any], None]

FLAVORS = tuple(
    protocol.Flavor(str(n), name, ram, vcpus, disk)
    for n, name, ram, vcpus, disk in (
        (1, "m1.tiny", 512, 1, 5),
        (2, "m1.small", 1024, 1, 10),
        (3, "m1.medium", 2048, 2, 20),
        (4, "m1.large", 4096, 4, 40),
        (5, "m1.xlarge", 8192, 8, 80),
    )
)
IMAGES = (protocol.Image("image-1", "guest", ("trove", "guest")),)
VOLUME_TYPES = (
    protocol.VolumeType("type-1", "lvm", True, "Plain disks"),
    protocol.VolumeType("type-2", "fast"),
)
ZONES = (None, "nova")
"""Where a server may be asked to be; None: anywhere."""
NETWORKS = (
    protocol.Network("net-1", "guests", ("10.9.0.0/16",)),
    protocol.Network("net-2", "public", ("203.0.113.0/24",), public=True),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Pace:
    """How many seconds each change takes on the cloud's clock."""

    boot: float = 0.0
    reboot: float = 0.0
    remove: float = 0.0
    create: float = 0.0
    extend: float = 0.0
    resize: float = 0.0
    rebuild: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Thing:
    """One thing that exists, whoever made it: what a leak check compares."""

    kind: str
    id: str
    key: str
    deployment: str
    retained: str | None = None


@dataclasses.dataclass(slots=True)
class Made:
    """A thing as the world keeps it. ``passing`` is a status that ends at ``until``."""

    kind: str
    key: str
    deployment: str
    made: float
    id: str = ""
    status: str = ""
    passing: str = ""
    until: float = 0.0
    gone_at: float | None = None
    retained: str | None = None
    fault: str | None = None
    order: protocol.Boot | None = None
    mark: str | None = None
    """What the last rebuild was marked with."""
    boots: int = 0
    """How often a server has been started."""
    before: tuple[str, str] = ("", "")
    """The flavor and the status of a server before the resize that is not confirmed."""
    host: str = "host-1"
    """Where a server is; ``left``: where it was before an unconfirmed move."""
    left: str = ""
    server: str | None = None
    reserved: str = ""
    """The server that a volume was meant for, which may never have been."""
    project: str | None = None
    """Whose it is, where that is not this deployment."""
    size: int = 0
    target: int = 0
    type: str | None = None
    source: str = ""
    """The snapshot that a volume was made of."""
    volume: str = ""
    """What a snapshot is of; ``holds``: what a volume was made of, or a snapshot has:
    the moment of its volume that it was."""
    holds: str = ""
    network: str = ""
    port: str | None = None
    """Where a floating IP leads to."""
    addresses: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    rules: tuple[protocol.Rule, ...] = ()


def silent(*_: object) -> None:
    """The hooks of a cloud nobody disturbs."""


class World:
    """What exists, and the clock; several deployments may look at the same one."""

    def __init__(
        self,
        *,
        clock: typing.Callable[[], float] = time.monotonic,
        pace: Pace | None = None,
        visible_after: float = 0.0,
        new_id: typing.Callable[[], str] = lambda: str(uuid.uuid4()),
        flavors: collections.abc.Iterable[protocol.Flavor] = FLAVORS,
        images: collections.abc.Iterable[protocol.Image] = IMAGES,
        networks: collections.abc.Iterable[protocol.Network] = NETWORKS,
    ) -> None:
        self.clock = clock
        self.pace = pace or Pace()
        self.visible_after = visible_after
        self.new_id = new_id
        self.keeps_sizes = False
        """Confirms a new size by itself, and does not do another one (it says it will):
        Nova with ``resize_confirm_window``, where the disk would become smaller."""
        self.keeps_sources = False
        """A snapshot stays as long as there is a volume that was made of it, whoever
        deletes it, as Ceph has it in Cinder: the answer is yes, and it is available."""
        self.leaves_reserved = False
        """A server that is deleted while it is built leaves its volumes reserved, for
        good, as Nova may."""
        self.flavors = {flavor.id: flavor for flavor in flavors}
        self.images = {image.id: image for image in images}
        """In the order of their age: the last one is the newest."""
        self.networks = {network.id: network for network in networks}
        self.private: dict[str, str] = {}
        """Networks that one project alone sees, and that project."""
        self.volume_types = VOLUME_TYPES
        self.grow_in_use = True
        self.hosts = ("host-1", "host-2")
        self.lock = threading.RLock()
        self.made: dict[str, Made] = {}
        self.secrets: dict[str, tuple[str, bytes]] = {}
        """Of the service's own project: their names, and what they are."""

    def add(self, thing: Made) -> Made:
        """Makes a thing real: it has an id from now on."""
        thing.id = self.new_id()
        self.made[thing.id] = thing
        return thing

    def get(self, kind: str, id: str) -> Made | None:
        """A thing of a kind, listed yet or not."""
        thing = self.made.get(id)
        return thing if thing is not None and thing.kind == kind else None

    def must(self, kind: str, id: str, status: int = 404) -> Made:
        """The same, refusing what is not there as a real cloud does."""
        thing = self.get(kind, id)
        if thing is None:
            raise protocol.Refused(f"{kind} {id} could not be found", status=status)
        return thing

    def listed(self, kind: str) -> list[Made]:
        """What a list of this moment shows, oldest first."""
        seen = self.clock() - self.visible_after
        return [t for t in self.made.values() if t.kind == kind and t.made <= seen]

    def pass_time(self) -> None:
        """Ends every change whose time has come."""
        now = self.clock()
        for thing in list(self.made.values()):
            if thing.until <= now:
                thing.passing = ""
                thing.size = thing.target or thing.size
                thing.target = 0
            if thing.gone_at is not None and thing.gone_at <= now:
                self.remove(thing)

    def remove(self, thing: Made) -> None:
        """Ends a thing; what it held is free again."""
        self.made.pop(thing.id, None)
        for other in self.made.values():
            if other.server == thing.id:
                other.server = None
            if other.port == thing.id:
                other.port = None

    def leave(self, thing: Made) -> None:
        """Begins the end of a thing."""
        if thing.gone_at is None:
            thing.gone_at = self.clock() + self.pace.remove
        self.pass_time()


P = typing.ParamSpec("P")
R = typing.TypeVar("R")
S = typing.TypeVar("S", bound="Part")


def call(
    deed: typing.Callable[typing.Concatenate[S, P], R],
) -> typing.Callable[typing.Concatenate[S, P], R]:
    """Tells the hooks of a call, and lets it see a world that is up to date."""
    signature = inspect.signature(deed)

    def told(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        name = f"{self.noun}.{deed.__name__}"
        said = dict(signature.bind(self, *args, **kwargs).arguments)
        del said["self"]
        # Outside the lock: a hook may block, to play a worker that was paused.
        self.cloud.before(name, said)
        with self.world.lock:
            self.world.pass_time()
            answer = deed(self, *args, **kwargs)
        self.cloud.after(name, said, answer)
        return answer

    functools.update_wrapper(told, deed)
    return told


class View:
    """One deployment's eyes on a world, and the hooks that are told of its calls."""

    def __init__(
        self,
        world: World,
        deployment: str,
        before: Before = silent,
        after: After = silent,
    ) -> None:
        self.world = world
        self.deployment = deployment
        self.before = before
        self.after = after


class Part:
    """What every noun of a cloud needs: the view, and how things are found in it."""

    noun = ""
    """The first half of the names of its calls, as the hooks see them."""

    def __init__(self, cloud: "View") -> None:
        self.cloud = cloud
        self.world = cloud.world

    def _new(self, kind: str, key: str) -> Made:
        # The record alone; World.add makes it real once every check has passed.
        return Made(kind, key, self.cloud.deployment, self.world.clock())

    def _keyed(self, kind: str, key: str) -> list[Made]:
        return [t for t in self._mine(kind) if t.key == key]

    def _mine(self, kind: str) -> list[Made]:
        mine = self.cloud.deployment
        return [t for t in self.world.listed(kind) if t.deployment == mine]
