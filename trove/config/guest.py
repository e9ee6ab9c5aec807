# SPDX-License-Identifier: Apache-2.0
"""The guest agent's options: who it is, and how often it reports."""

from oslo_config import cfg

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
    cfg.StrOpt(
        "commands_key",
        help="The taskmanagers' public key, base64: no command without its signature "
        "is obeyed. Unset, whoever may write to this guest's queue is obeyed.",
    ),
]
