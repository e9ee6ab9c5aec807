# SPDX-License-Identifier: Apache-2.0
"""Which class carries the taskmanager's work, under the name that others know."""

from oslo_config import cfg

GROUP = None

OPTS = [
    cfg.StrOpt(
        "taskmanager_manager",
        default="trove.taskmanager.manager.Manager",
        help="The class that trove-taskmanager loads and serves.",
    ),
]
