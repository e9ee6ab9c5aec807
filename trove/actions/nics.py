# SPDX-License-Identifier: Apache-2.0
"""The network that an instance is to be on, and a user's port whose address it has.

A user's port stays the user's (ADR 21): nothing of it is changed, it is not bound, and
it is not deleted. What an instance takes of it is the address, and no two may.
"""

import contextlib
import ipaddress
import typing
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.actions.services import Services
from trove.cloud.protocol import Caller
from trove.db.tables import Instance

Nic = dict[str, typing.Any]


class PortLent(errors.Clash):
    """Another instance has the address of this port."""

    sentence = "The port {port} is that of another instance, {instance}."


def allowed(see: Callable[[], Caller], nic: Nic | None) -> Nic | None:
    """As it was asked for, with the network of a subnet; ``Invalid`` where the caller
    names what his own token does not show him.

    The service sees more than any user: the management network, and what other projects
    shared with it.
    """
    if nic is None:
        return None
    network, subnet, port = (nic.get(key) for key in ("network", "subnet", "port"))
    with contextlib.closing(see()) as caller:
        if port:
            if not caller.port(port):
                raise errors.Invalid(f"Port {port} cannot be found.")
            return nic  # whatever else is said must be where the port is
        if subnet:
            of = caller.subnet(subnet)
            if of is None:
                raise errors.Invalid(f"Subnet {subnet} cannot be found.")
            if network not in (None, of):
                raise errors.Invalid(f"Subnet {subnet} is not of network {network}.")
            network = of
        if network and not caller.network(network):
            raise errors.Invalid(f"Network {network} cannot be found.")
    return {**nic, "network": network} if network else nic


def checked(services: Services, owner: str, nic: Nic | None) -> Nic | None:
    """As it is stored; raises ``Invalid`` for what is not there, or is another's."""
    if nic is None:
        return None
    if nic.get("port"):
        nic = _of_port(services, owner, nic)
    network = nic.get("network")
    if network and not services.networks(network):
        raise errors.Invalid(
            f"Network {network} cannot be used: it is not shared with the service that "
            "makes databases."
        )
    return nic


def _of_port(services: Services, owner: str, asked: Nic) -> Nic:
    """Where the port is, and its addresses, which are those of the instance too."""
    id = asked["port"]
    port = services.cloud.network.show_port(id)
    if port is None or port.project != owner:
        # of another project, or of none: who asks is not told which
        raise errors.Invalid(f"Port {id} cannot be found.")
    if port.bound:
        raise errors.Clash(f"Port {id} is in use: it is bound to a device.")
    if not port.addresses:
        raise errors.Invalid(f"Port {id} has no address.")
    if any(ipaddress.ip_address(one).version != 4 for one in port.addresses):
        raise errors.Invalid(f"Port {id} has an IPv6 address; only IPv4 is possible.")
    if len(set(port.subnets)) != 1:
        raise errors.Invalid(f"The addresses of port {id} are of several subnets.")
    place = {"network": port.network, "subnet": port.subnets[0]}
    for what, said in place.items():
        if asked.get(what) not in (None, said):
            raise errors.Invalid(f"Port {id} is not on {what} {asked[what]}.")
    if asked.get("address") not in (None, *port.addresses):
        raise errors.Invalid(f"Port {id} does not have address {asked['address']}.")
    return {"port": id, **place, "virtual": list(port.addresses)}


def port_of(nic: Nic | None) -> str | None:
    """The user's port, if there is one."""
    return (nic or {}).get("port")


def refuse_lent(tx: orm.Session, nic: Nic | None) -> None:
    """Raises ``PortLent`` when an instance that is not gone has this port.

    It says so in a sentence; that there are never two is the unique index's doing.
    """
    port = port_of(nic)
    if port is None:
        return
    other = tx.scalar(sa.select(Instance.id).where(Instance.port_id == port))
    if other is not None:
        raise PortLent(port=port, instance=other)
