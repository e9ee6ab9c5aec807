# SPDX-License-Identifier: Apache-2.0
"""Where everything of a PostgreSQL server is in its guest."""

import dataclasses

from trove.datastores.postgresql.spec import DATASTORE
from trove.datastores.protocol import Host

PROGRAMS = "/usr/lib/postgresql/15/bin"


@dataclasses.dataclass(frozen=True, slots=True)
class Places:
    """Absolute paths.

    The volume holds ``data`` as a subdirectory: a mount point has its lost+found, and a
    half-made directory can be told from a whole one by its name.
    """

    volume: str
    data: str
    data_unfinished: str
    settings: str
    tls: str
    runtime: str
    unit: str


def places(host: Host) -> Places:
    """The places on this machine."""
    volume = host.path(DATASTORE.data)
    settings = host.path("/etc/trove-postgresql")
    return Places(
        volume=volume,
        data=f"{volume}/data",
        data_unfinished=f"{volume}/data.unfinished",
        settings=settings,
        tls=f"{settings}/tls",
        runtime=host.path("/run/postgresql"),
        unit=host.path("/etc/systemd/system/trove-postgresql.service"),
    )
