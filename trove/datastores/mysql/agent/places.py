# SPDX-License-Identifier: Apache-2.0
"""Where everything of a MySQL server is in its guest."""

from trove.datastores.classic.places import Places
from trove.datastores.mysql.spec import DATASTORE
from trove.datastores.protocol import Host

HISTORY = "mysql_upgrade_history"
"""Beside its data: which versions served them, the newest last."""


def places(host: Host) -> Places:
    """The places on this machine."""
    return Places(
        volume=host.path(DATASTORE.data),
        settings=host.path("/etc/trove-mysql"),
        runtime=host.path("/run/mysqld"),
        unit=host.path("/etc/systemd/system/mysql.service"),
    )
