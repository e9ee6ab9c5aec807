# SPDX-License-Identifier: Apache-2.0
"""The options of quotas: what a project may have unless it is told otherwise."""

from oslo_config import cfg

GROUP = cfg.OptGroup("quota", title="Default quotas of a project; -1 is unlimited")

OPTS = [
    cfg.IntOpt("instances", default=10, min=-1, help="Instances."),
    cfg.IntOpt("ram", default=-1, min=-1, help="Memory of all instances, in MiB."),
    cfg.IntOpt("volumes", default=40, min=-1, help="Size of all volumes, in GiB."),
    cfg.IntOpt(
        "backups",
        default=400,
        min=-1,
        help="Backups, scheduled ones among them: some 36 of an instance with "
        "increments whose policy is the default one.",
    ),
]


def defaults(conf: cfg.ConfigOpts) -> dict[str, int]:
    """The default limit of every resource."""
    return {opt.dest: conf.quota[opt.dest] for opt in OPTS}
