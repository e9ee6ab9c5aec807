# SPDX-License-Identifier: Apache-2.0
"""The options of the control database."""

import typing

from oslo_config import cfg

GROUP = cfg.OptGroup("database", title="The control database")

OPTS = [
    cfg.StrOpt(
        "connection",
        default="sqlite:////var/lib/trove/trove.sqlite",
        secret=True,
        help="URL of the database: sqlite:////path, mysql://user:password@host/name "
        "(MariaDB too) or postgresql://user:password@host/name.",
    ),
    cfg.StrOpt(
        "seal_keys",
        default="/etc/trove/seal-keys",
        help="File with the keys that seal what must not be readable in the database, "
        "one a line, newest first. 'trove-manage key create' makes one.",
    ),
    cfg.IntOpt(
        "max_pool_size",
        default=30,
        min=1,
        max=1000,
        help="Connections that a process keeps open.",
    ),
    cfg.IntOpt(
        "max_overflow",
        default=10,
        min=0,
        max=1000,
        help="Connections that a process may open beyond max_pool_size under load.",
    ),
    cfg.IntOpt(
        "pool_timeout",
        default=30,
        min=1,
        max=600,
        help="Seconds to wait for a free connection before a request fails.",
    ),
    cfg.IntOpt(
        "connection_recycle_time",
        default=1800,
        min=1,
        max=86400,
        help="Seconds after which a connection is replaced; less than the wait_timeout "
        "of the server and of every proxy in between.",
    ),
    cfg.IntOpt(
        "statement_timeout",
        default=60,
        min=5,
        max=3600,
        help="Seconds that a statement may take; half of it bounds a wait for a lock.",
    ),
]


def arguments(conf: cfg.ConfigOpts) -> dict[str, typing.Any]:
    """What ``db.session.Database`` takes, from a process's options."""
    group = conf.database
    return {
        "url": group.connection,
        "pool_size": group.max_pool_size,
        "max_overflow": group.max_overflow,
        "pool_timeout": group.pool_timeout,
        "recycle": group.connection_recycle_time,
        "timeout": group.statement_timeout,
    }
