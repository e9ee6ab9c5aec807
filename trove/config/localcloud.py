# SPDX-License-Identifier: Apache-2.0
"""The options of the one-machine cloud."""

from oslo_config import cfg

GROUP = cfg.OptGroup("localcloud", title="The one-machine cloud")

OPTS = [
    cfg.StrOpt(
        "state_dir",
        default="/var/lib/trove",
        help="Directory of the deployment: servers, volumes, keys, logs.",
    ),
    cfg.StrOpt(
        "cache_dir",
        help="Directory of guest images, which deployments may share. By default "
        "'cache' in the state directory.",
    ),
    cfg.StrOpt(
        "tag",
        default="trv",
        regex="^[a-z][a-z0-9]{1,3}$",
        help="Two to four letters and digits that mark the containers, interfaces and "
        "firewall table of this deployment.",
    ),
    cfg.StrOpt(
        "cidr",
        default="10.77.0.0/24",
        help="The guests' network; its first address is this host's.",
    ),
    cfg.PortOpt(
        "ports",
        default=18700,
        help="First of the hundred TCP ports of this deployment, on loopback.",
    ),
    cfg.StrOpt(
        "release",
        default="bookworm",
        help="The image that 'trove-localcloud image' builds: of Debian 12 (bookworm), "
        "with the versions that every deployment begins with, or of 13 (trixie), with "
        "newer ones. A datastore whose packages bear no other beside them has one of "
        "its own, named after both: trixie-DATASTORE. 'all' builds every one of them.",
    ),
    cfg.IntOpt(
        "workers",
        default=6,
        min=1,
        max=64,
        help="Servers and volumes that are worked on at the same time.",
    ),
]
