# SPDX-License-Identifier: Apache-2.0
"""Where everything of a PostgreSQL server is in its guest."""

from trove.datastores.places import Places
from trove.datastores.postgresql.spec import DATASTORE
from trove.datastores.protocol import Host

SERVED = "trove-postgresql.service"
"""The unit of the server that users reach."""
INSTALLED = "/usr/lib/postgresql"
"""Debian has each major version's programs in a directory of its own."""

TURNED_AWAY = r"(?!\s+the database system is )"
"""After the level of a line of its log: none that says what whoever connects is told
while it starts or stops. Why it does not start is another line (manual, appendix of
error codes, 57P03)."""


def major(host: Host) -> int:
    """The newest version that is installed there."""
    found = host.run(["ls", INSTALLED], check=False).stdout.split()
    return max((int(name) for name in found if name.isdigit()), default=0)


def programs(host: Host) -> str:
    """The directory of its programs."""
    return f"{INSTALLED}/{major(host)}/bin"


def places(host: Host) -> Places:
    """The places on this machine."""
    return Places(
        volume=host.path(DATASTORE.data),
        settings=host.path("/etc/trove-postgresql"),
        runtime=host.path("/run/postgresql"),
        unit=host.path("/etc/systemd/system/trove-postgresql.service"),
    )
