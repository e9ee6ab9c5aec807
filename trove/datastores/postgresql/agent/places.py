# SPDX-License-Identifier: Apache-2.0
"""Where everything of a PostgreSQL server is in its guest."""

from trove.datastores.places import Places
from trove.datastores.postgresql.spec import DATASTORE
from trove.datastores.protocol import Host

PROGRAMS = "/usr/lib/postgresql/15/bin"


def places(host: Host) -> Places:
    """The places on this machine."""
    return Places(
        volume=host.path(DATASTORE.data),
        settings=host.path("/etc/trove-postgresql"),
        runtime=host.path("/run/postgresql"),
        unit=host.path("/etc/systemd/system/trove-postgresql.service"),
    )
