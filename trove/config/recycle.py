# SPDX-License-Identifier: Apache-2.0
"""The options of the recycle bin: what becomes of the data of a deleted instance."""

from oslo_config import cfg

GROUP = cfg.OptGroup("recycle", title="What is kept of a deleted instance")

OPTS = [
    cfg.IntOpt(
        "days",
        default=3,
        min=0,
        max=365,
        help="Days that the volume of a deleted instance is kept, from which the "
        "instance can be had back; 0: none is kept. It takes room in the cloud, and "
        "counts in nobody's quota.",
    ),
    cfg.BoolOpt(
        "by_default",
        default=True,
        help="Whether it is kept unless the user who deletes says otherwise "
        "(?keep=false).",
    ),
]
