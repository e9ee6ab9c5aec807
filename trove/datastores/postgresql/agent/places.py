# SPDX-License-Identifier: Apache-2.0
"""Where everything of a PostgreSQL server is in its guest."""

import functools
import pathlib

from trove.datastores.places import Places
from trove.datastores.postgresql.spec import DATASTORE
from trove.datastores.protocol import Host

INSTALLED = pathlib.Path("/usr/lib/postgresql")
"""Debian has each major version's programs in a directory of its own."""


@functools.cache
def programs() -> str:
    """The directory of the newest version's that is installed here."""
    there = [path for path in INSTALLED.glob("*/bin") if path.parent.name.isdigit()]
    newest = max(there, key=lambda path: int(path.parent.name), default=INSTALLED)
    return str(newest)


def places(host: Host) -> Places:
    """The places on this machine."""
    return Places(
        volume=host.path(DATASTORE.data),
        settings=host.path("/etc/trove-postgresql"),
        runtime=host.path("/run/postgresql"),
        unit=host.path("/etc/systemd/system/trove-postgresql.service"),
    )
