# SPDX-License-Identifier: Apache-2.0
"""How the taskmanager carries operations, keeps house, and what it makes guests of."""

import typing

from oslo_config import cfg, types

GROUP = cfg.OptGroup("taskmanager", title="Taskmanager")

OPTS = [
    cfg.IntOpt(
        "workers",
        default=16,
        min=1,
        max=512,
        help="Steps that run at once. Waiting operations hold none.",
    ),
    cfg.FloatOpt(
        "poll_interval",
        default=1.0,
        min=0.1,
        max=60,
        help="Seconds between two looks for operations that are due.",
    ),
    cfg.IntOpt(
        "lease",
        default=30,
        min=5,
        max=600,
        help="Seconds after which the operations of a silent taskmanager are taken "
        "over by another.",
    ),
    cfg.IntOpt(
        "housekeeping_interval",
        default=60,
        min=5,
        max=3600,
        help="Seconds between two rounds of housekeeping: silent guests, finished "
        "operations.",
    ),
    cfg.IntOpt(
        "reaper_interval",
        default=300,
        min=10,
        max=86400,
        help="Seconds between two searches for things in the cloud that nothing owns.",
    ),
    cfg.IntOpt(
        "keep_operations",
        default=30,
        min=1,
        max=3650,
        help="Days that a finished operation is kept.",
    ),
    cfg.IntOpt(
        "guest_silence",
        default=90,
        min=10,
        max=3600,
        help="Seconds without a report after which a guest counts as silent.",
    ),
    cfg.ListOpt(
        "certificate_warnings",
        default=[30, 7, 1],
        item_type=types.Integer(min=1, max=3650),
        help="Days before the end of a certificate that a user brought: at each, an "
        "event tells him once; another tells that it has ended.",
    ),
    cfg.FloatOpt(
        "outbox_interval",
        default=2,
        min=0.1,
        max=600,
        help="Seconds between two looks for events that were not told to who listens "
        "to notifications ([oslo_messaging_notifications] driver; none by default).",
    ),
    cfg.StrOpt(
        "signing_key",
        help="File with the key that signs commands to guests (trove-manage key "
        "create-signing), the same for every taskmanager. Guests that are made while "
        "it is set obey no command without its signature: whoever takes the broker "
        "cannot command them.",
    ),
    cfg.StrOpt(
        "management_network",
        help="Name or id of the network on which guests reach the broker.",
    ),
    cfg.ListOpt(
        "object_stores",
        default=[],
        help="Where guests bring their logs, each as address:port: beside the broker "
        "the only places that a new guest may open a connection to. A bare port, "
        "':443', is that port anywhere.",
    ),
    cfg.IntOpt(
        "heartbeat_interval",
        default=10,
        min=1,
        max=300,
        help="Seconds between two reports of a guest.",
    ),
    cfg.FloatOpt(
        "visibility_grace",
        default=20,
        min=0,
        max=600,
        help="Seconds that a thing which was made may stay invisible in the cloud's "
        "lists: so long a create whose answer was lost is not tried again.",
    ),
    cfg.FloatOpt(
        "call_timeout",
        default=20,
        min=1,
        max=600,
        help="Seconds of lease that must be left before a call to the cloud.",
    ),
    cfg.StrOpt(
        "volume_fstype",
        default="xfs",
        choices=["xfs", "ext4"],
        help="File system of a data volume.",
    ),
    cfg.StrOpt(
        "volume_device",
        default="/dev/vdb",
        help="Where a guest sees its data volume, unless the cloud says otherwise.",
    ),
]


def of_flows(conf: cfg.ConfigOpts) -> dict[str, typing.Any]:
    """What ``flows.context.Settings`` takes, but for the broker's CA."""
    group = conf.taskmanager
    stores = [entry.strip().rpartition(":") for entry in group.object_stores]
    hosts = [entry.strip().rpartition(":") for entry in conf.rpc.guest_hosts]
    return {
        "deployment": conf.cloud.deployment,
        "management_network": group.management_network or "",
        "public_network": conf.cloud.public_network,
        "brokers": tuple((host.strip("[]"), int(port)) for host, _, port in hosts),
        "object_stores": tuple(
            (host.strip("[]"), int(port)) for host, _, port in stores
        ),
        "heartbeat_interval": group.heartbeat_interval,
        "grace": group.visibility_grace,
        "call_timeout": group.call_timeout,
        "fstype": group.volume_fstype,
        "device": group.volume_device,
    }
