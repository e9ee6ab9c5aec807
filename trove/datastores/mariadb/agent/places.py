# SPDX-License-Identifier: Apache-2.0
"""Where everything of a MariaDB server is in its guest."""

import dataclasses

from trove.datastores.mariadb.spec import DATASTORE
from trove.datastores.protocol import Host


@dataclasses.dataclass(frozen=True, slots=True)
class Places:
    """Absolute paths.

    The volume holds ``data`` as a subdirectory: a mount point has its lost+found, and a
    half-made directory can be told from a whole one by its name.
    """

    volume: str
    data: str
    data_unfinished: str
    temporary: str
    binlogs: str
    files: str
    settings: str
    tls: str
    runtime: str
    socket: str
    unit: str


def places(host: Host) -> Places:
    """The places on this machine."""
    volume = host.path(DATASTORE.data)
    settings = host.path("/etc/trove-mariadb")
    runtime = host.path("/run/mysqld")
    return Places(
        volume=volume,
        data=f"{volume}/data",
        data_unfinished=f"{volume}/data.unfinished",
        temporary=f"{volume}/temporary",
        binlogs=f"{volume}/binlog",
        files=f"{volume}/files",
        settings=settings,
        tls=f"{settings}/tls",
        runtime=runtime,
        socket=f"{runtime}/mysqld.sock",
        unit=host.path("/etc/systemd/system/mariadb.service"),
    )
