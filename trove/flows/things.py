# SPDX-License-Identifier: Apache-2.0
"""An instance's things in the cloud: how each is made, and made absent.

Every maker is *ensure* by key, every remover *absent* by key and id, so each may run
any number of times. The order of making lets the cloud refuse a twin (operations.md,
rule 5): port, data volume, wait until it is available, then the server with the volume.
"""

import functools
import typing

from trove import errors
from trove.cloud import public
from trove.cloud.protocol import Boot, FloatingIP, Group, Refused, Rule, Server
from trove.db.tables import Instance
from trove.flows import lent, userdata
from trove.flows.context import StepContext
from trove.model import verifications
from trove.model.states import ThingState
from trove.workflow.flow import Wait

USER, GROUP, PORT, MANAGEMENT, PUBLIC, VOLUME, SERVERS, SERVER = (
    "user",
    "group",
    "port",
    "mgmt",
    "public",
    "volume",
    "servers",
    "server",
)

TRIES = 2
"""A thing that the cloud puts in ERROR is made this often in all."""


class _Named:
    """A broker user, in the shape of a cloud's thing."""

    def __init__(self, id: str) -> None:
        self.id = id


# -- the broker's user -------------------------------------------------------------


def user(ctx: StepContext, password: str) -> str | Wait:
    """The guest's own broker user, with its one-time credential."""

    def find(key: str) -> list[_Named]:
        # one that is there may lack its permissions, by a crash: add_guest completes it
        return []

    def make(key: str) -> _Named:
        ctx.users.add_guest(ctx.object_id, password)
        return _Named(ctx.object_id)

    return ctx.ensure("user", ctx.key(USER), find, make)


def no_user(ctx: StepContext) -> Wait | None:
    """The broker closes the guest's live connection with its user."""
    return ctx.ledger.absent(
        ctx.key(USER),
        find=lambda: [ctx.object_id],
        delete=ctx.users.remove_guest,
        there=lambda id: False,
    )


# -- network -----------------------------------------------------------------------


def rules(
    ctx: StepContext, instance: Instance, access: dict[str, typing.Any] | None
) -> tuple[Rule, ...]:
    """The database's port from outside; outwards the broker, and where logs go.

    Nobody comes to one that is there to verify a backup.
    """
    port = ctx.datastore(instance).port
    cidrs = (access or {}).get("allowed_cidrs") or ["0.0.0.0/0"]
    if instance.project == verifications.OWNER:
        cidrs = []
    inward = [Rule("ingress", "tcp", port, cidr) for cidr in cidrs]
    outward = [
        Rule("egress", "tcp", number, f"{address}/32" if address else "0.0.0.0/0")
        for address, number in (*ctx.settings.brokers, *ctx.settings.object_stores)
    ]
    return (*inward, *outward)


def group(ctx: StepContext, instance: Instance) -> str | Wait:
    """The instance's security group."""
    network = ctx.cloud.network
    wanted = rules(ctx, instance, instance.access)

    def finished(key: str) -> list[Group]:
        # one that lacks its rules, by a crash, lets everything out: not ours yet
        return [g for g in network.find_groups(key) if set(g.rules) == set(wanted)]

    return ctx.ensure(
        "group",
        ctx.key(GROUP),
        finished,
        lambda key: network.create_group(key, wanted),
        in_parts=True,  # the rules come after the group, which may not be seen yet
    )


def no_group(ctx: StepContext) -> Wait | None:
    network = ctx.cloud.network
    key = ctx.key(GROUP)
    return ctx.ledger.absent(
        key,
        find=lambda: [thing.id for thing in network.find_groups(key)],
        delete=network.delete_group,
        there=lambda id: any(thing.id == id for thing in network.find_groups(key)),
    )


def management_network(ctx: StepContext) -> str:
    """The id of the network that guests reach the broker on."""
    wanted = ctx.settings.management_network
    for network in ctx.cloud.network.networks():
        if wanted in (network.id, network.name):
            return network.id
    raise errors.Upstream(why=f"the management network {wanted} does not exist")


def ports(ctx: StepContext, instance: Instance, group: str) -> dict[str, str] | Wait:
    """Role -> port id: the user's own network first, where one was asked for."""
    management = management_network(ctx)
    nic = instance.nic or {}
    asked = nic.get("network") or management
    orders = {PORT: (asked, nic.get("address"), nic.get("subnet"))}
    if asked != management:
        orders[MANAGEMENT] = (management, None, None)
    network = ctx.cloud.network
    made = {}
    for role, (where, address, subnet) in orders.items():
        create = functools.partial(
            network.create_port,
            network=where,
            groups=(group,),
            address=address,
            subnet=subnet,
            pairs=lent.addresses(instance) if role == PORT else (),
        )
        id = ctx.ensure("port", ctx.key(role), network.find_ports, create)
        if isinstance(id, Wait):
            return id
        made[role] = id
    return made


def own_port(ctx: StepContext) -> str:
    """The id of the port that the instance's users come to."""
    row = ctx.ledger.row(ctx.key(PORT))
    if row is None or row.external_id is None:
        raise errors.Upstream(why="the port of the instance is not known")
    return row.external_id


def no_ports(ctx: StepContext) -> Wait | None:
    network = ctx.cloud.network
    for role in (PORT, MANAGEMENT):
        wait = ctx.absent(
            ctx.key(role), network.find_ports, network.delete_port, network.show_port
        )
        if wait is not None:
            return wait
    return None


def floating_ip(ctx: StepContext, port: str) -> FloatingIP | Wait:
    """A public address that leads to the port."""
    network = ctx.cloud.network
    where = public.choose(network.networks(), ctx.settings.public_network)
    if where is None:
        raise Refused("the cloud has no network for public addresses, or several")
    id = ctx.ensure(
        "floating_ip",
        ctx.key(PUBLIC),
        network.find_floating_ips,
        lambda key: network.create_floating_ip(key, where.id, port),
    )
    if isinstance(id, Wait):
        return id
    found = network.show_floating_ip(id)
    if found is not None:
        return found
    # It was given back, by a crash in the middle of that or by somebody else
    return no_floating_ip(ctx) or ctx.soon(f"floating IP {id} is gone")


def no_floating_ip(ctx: StepContext) -> Wait | None:
    network = ctx.cloud.network
    return ctx.absent(
        ctx.key(PUBLIC),
        network.find_floating_ips,
        network.delete_floating_ip,
        network.show_floating_ip,
    )


# -- the data volume ---------------------------------------------------------------


def volume(
    ctx: StepContext, instance: Instance, snapshot: str | None = None
) -> str | Wait:
    """The id of the data volume, available to be attached: an empty one, or one with
    what is in a snapshot."""
    volumes = ctx.cloud.volumes
    size = instance.volume_size or 0
    for attempt in range(TRIES):
        key = ctx.key(VOLUME, attempt)
        if attempt == 0 and _given_up(ctx, key):
            continue
        id = ctx.ensure(
            "volume",
            key,
            volumes.find,
            lambda key: volumes.create(key, size, instance.volume_type, snapshot),
            data_bearing=True,
        )
        if isinstance(id, Wait):
            return id
        found = volumes.show(id)
        if found is not None and found.status in ("available", "in-use"):
            return id
        if found is not None and found.status != "error":
            return ctx.soon(f"volume {id} is {found.status}")
        wait = ctx.absent(key, volumes.find, volumes.delete, volumes.show)
        if wait is not None:
            return wait
    raise Refused(f"the data volume could not be made ({TRIES} tries)")


def no_volume(ctx: StepContext, keep: bool) -> Wait | None:
    """``keep``: mark it as retained, and leave it."""
    volumes = ctx.cloud.volumes
    why = f"instance {ctx.object_id}"
    for attempt in range(TRIES):
        wait = ctx.absent(
            ctx.key(VOLUME, attempt),
            volumes.find,
            volumes.delete,
            volumes.show,
            retain=(lambda id: volumes.retain(id, why)) if keep else None,
        )
        if wait is not None:
            return wait
    return None


# -- the servers that are kept together, or apart ----------------------------------


def server_group(ctx: StepContext, policy: str) -> str | Wait:
    """The group that its server is booted into, and later those of its replicas."""
    groups = ctx.cloud.server_groups
    return ctx.ensure(
        "server_group",
        ctx.key(SERVERS),
        groups.find,
        lambda key: groups.create(key, policy),
    )


def no_server_group(ctx: StepContext) -> Wait | None:
    groups = ctx.cloud.server_groups
    return ctx.absent(ctx.key(SERVERS), groups.find, groups.delete, groups.show)


# -- the server --------------------------------------------------------------------


def server(ctx: StepContext, instance: Instance, order: "Order") -> str | Wait:
    """The id of the server once the cloud calls it ACTIVE."""
    compute = ctx.cloud.compute
    fault: str | None = None
    for attempt in range(TRIES):
        key = ctx.key(SERVER, attempt)
        if attempt == 0 and _given_up(ctx, key):
            continue
        try:
            id = ctx.ensure(
                "server",
                key,
                compute.find,
                lambda key: compute.boot(key, order.boot(ctx, instance)),
            )
        except Refused as refused:
            # the volume may be in use by a twin whose answer was lost: look again
            if refused.status == 400 and ctx.claim.once("boot_server"):
                return Wait(ctx.settings.grace + 1, refused.message)
            raise
        if isinstance(id, Wait):
            return id
        found = compute.show(id)
        if found is not None and found.status == "ACTIVE":
            return id
        if found is not None and found.status not in ("ERROR", "UNKNOWN"):
            return ctx.soon(f"server {id} is {found.status}")
        fault = found.fault if found is not None else "it vanished"
        wait = ctx.absent(key, compute.find, compute.delete, compute.show)
        if wait is not None:
            return wait
    raise Refused(f"the server could not be made ({TRIES} tries): {fault}")


def no_server(ctx: StepContext) -> Wait | None:
    compute = ctx.cloud.compute
    for attempt in range(TRIES):
        wait = ctx.absent(
            ctx.key(SERVER, attempt), compute.find, compute.delete, compute.show
        )
        if wait is not None:
            return wait
    return None


def confirmed(ctx: StepContext, found: Server) -> dict[str, str] | Wait:
    """It stays on the host, or of the size, that it was moved to; no way back."""
    if found.status == "VERIFY_RESIZE":
        ctx.claim.guard(ctx.settings.call_timeout)
        ctx.cloud.compute.confirm(found.id)
    elif not found.moving:
        return {"server": found.id}
    return Wait(1, f"server {found.id} is {found.status}")


def _given_up(ctx: StepContext, key: str) -> bool:
    """Whether this attempt's thing came out in ERROR before, and was removed: by this
    operation, for one of before may have removed what was in order."""
    row = ctx.ledger.row(key)
    return (
        row is not None
        and row.state == ThingState.GONE
        and row.operation_id == ctx.operation.id
    )


class Order:
    """What the server is booted with; made when it is needed, not before."""

    def __init__(
        self,
        image: str,
        password: str,
        ports: dict[str, str],
        volume: str | None,
        group: str | None = None,
        card: str = "",
    ) -> None:
        self._image, self._password = image, password
        self._ports, self._volume, self._group = ports, volume, group
        self._card = card

    def boot(self, ctx: StepContext, instance: Instance) -> Boot:
        return Boot(
            name=instance.name,
            image=self._image,
            flavor=instance.flavor_id,
            ports=tuple(self._ports.values()),
            volume=self._volume,
            user_data=userdata.render(
                ctx.settings,
                instance.id,
                ctx.version(instance).manager,
                self._password,
                lent.virtual(instance, self._card),
                several=len(self._ports) > 1,
            ),
            availability_zone=instance.availability_zone,
            server_group=self._group,
        )
