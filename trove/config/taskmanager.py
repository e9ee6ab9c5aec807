# SPDX-License-Identifier: Apache-2.0
"""How the taskmanager carries operations and keeps house."""

from oslo_config import cfg

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
        default=60,
        min=10,
        max=3600,
        help="Seconds without a report after which a guest counts as silent.",
    ),
]
