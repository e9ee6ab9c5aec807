# SPDX-License-Identifier: Apache-2.0
"""The guest agent's options: who it is, and how often it reports."""

from oslo_config import cfg, types

GROUP = cfg.OptGroup("guest", title="Guest agent")

OPTS = [
    cfg.StrOpt(
        "instance",
        regex="^[0-9a-zA-Z-]{1,64}$",
        help="The id of the instance this guest belongs to.",
    ),
    cfg.StrOpt(
        "datastore",
        regex="^[0-9a-z_]{1,64}$",
        help="The name of the datastore this guest runs.",
    ),
    cfg.IntOpt(
        "heartbeat_interval",
        default=10,
        min=1,
        max=300,
        help="Seconds between two reports to the conductor.",
    ),
    cfg.ListOpt(
        "virtual_addresses",
        default=[],
        item_type=types.IPAddress(version=4),
        help="Addresses that this guest has beside its card's own.",
    ),
    cfg.StrOpt(
        "card",
        regex="^([0-9a-f]{2}:){5}[0-9a-f]{2}$",
        help="The hardware address of the card that they are put on.",
    ),
    cfg.BoolOpt(
        "several_networks",
        default=False,
        help="Whether this guest is on several networks: then what is from the address "
        "of a card leaves by that card.",
    ),
    cfg.StrOpt(
        "commands_key",
        help="The taskmanagers' public key, base64: no command without its signature "
        "is obeyed. Unset, whoever may write to this guest's queue is obeyed.",
    ),
]
