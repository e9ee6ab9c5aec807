# SPDX-License-Identifier: Apache-2.0
"""A user's port whose addresses an instance has (ADR 21).

The instance's own port may speak with them, and its guest configures them. The user's
port is looked at and nothing else: there is nothing of it to take back.
"""

import typing

from trove.cloud.protocol import Refused
from trove.db.tables import Instance
from trove.flows.context import StepContext
from trove.flows.userdata import Virtual


def addresses(instance: Instance) -> tuple[str, ...]:
    """Those of the user's port; none without one."""
    return tuple((instance.nic or {}).get("virtual", ()))


def look(ctx: StepContext, instance: Instance) -> None:
    """Raises when it is not what it was when the create was accepted.

    By then it may have been deleted, and its address be somebody else's.
    """
    wanted = addresses(instance)
    if not wanted:
        return
    id = str(instance.port_id)
    port = ctx.cloud.network.show_port(id)
    if port is None or port.project != instance.project:
        raise Refused(f"port {id} is not there any more")
    if port.bound or not set(wanted) <= set(port.addresses):
        raise Refused(f"port {id} is in use, or has other addresses, by now")


def shown(instance: Instance, network: str, own: typing.Sequence[str]) -> list[object]:
    """What a user is told of its addresses: first those that were asked for."""
    both = (*addresses(instance), *own)
    return [{"address": one, "type": "private", "network": network} for one in both]


def virtual(instance: Instance, card: str) -> Virtual | None:
    """What its guest is told: the addresses, and the card of the instance's port."""
    wanted = addresses(instance)
    return Virtual(card.lower(), wanted) if wanted else None
