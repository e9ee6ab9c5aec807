# SPDX-License-Identifier: Apache-2.0
"""Where everything of a MariaDB server is in its guest."""

from trove.datastores.classic.places import Places
from trove.datastores.mariadb.spec import DATASTORE
from trove.datastores.protocol import Host


def places(host: Host) -> Places:
    """The places on this machine."""
    return Places(
        volume=host.path(DATASTORE.data),
        settings=host.path("/etc/trove-mariadb"),
        runtime=host.path("/run/mysqld"),
        unit=host.path("/etc/systemd/system/mariadb.service"),
    )
