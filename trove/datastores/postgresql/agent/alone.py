# SPDX-License-Identifier: Apache-2.0
"""A server that nobody reaches but the agent: no port, a socket of its own.

It is another unit on the same data. Whichever of the two starts stops the other, so
that a guest that dies here serves again by an ordinary start.
"""

import contextlib
import dataclasses
import typing

from psycopg import conninfo

from trove import errors
from trove.datastores.places import Places
from trove.datastores.postgresql.agent.places import SERVED, TURNED_AWAY, programs
from trove.datastores.postgresql.agent.sql import Talk, talk
from trove.datastores.postgresql.spec import DATASTORE, LOADER
from trove.datastores.protocol import Host
from trove.datastores.unit import Unit, scrub

NAME = "trove-postgresql-alone"
UNIT = f"{NAME}.service"

WHO_MAY_ENTER = f"""\
local all postgres peer map=alone
local all {LOADER} peer map=alone
"""
WHO_WE_ARE = f"""\
alone root postgres
alone postgres postgres
alone postgres {LOADER}
"""

SETTINGS = (
    "listen_addresses=",
    "default_transaction_read_only=off",
    "autovacuum=off",
    # statements with passwords' verifiers are nobody's to read
    "log_statement=none",
    "log_min_duration_statement=-1",
    "log_min_error_statement=panic",
)
HASTE = (
    "fsync=off",
    "full_page_writes=off",
    "archive_mode=off",
)
"""For data that are made anew should anything happen, and synced when they are made."""

LINES = """\
RuntimeDirectory={name}
ExecStart={programs}/postgres -D {data} --config-file={settings}{said}
KillMode=mixed
KillSignal=SIGINT
OOMScoreAdjust=-900"""


@dataclasses.dataclass(frozen=True, slots=True)
class Alone:
    """The server behind its socket, while it runs."""

    host: Host
    directory: str
    port: int
    unit: Unit

    def open(
        self, database: str = "postgres"
    ) -> contextlib.AbstractContextManager[Talk]:
        """A conversation as the superuser."""
        return talk(self.directory, self.port, database)

    def run(
        self,
        program: str,
        *words: str,
        within: float,
        database: str | None = None,
        user: str = DATASTORE.user,
    ) -> None:
        """One of PostgreSQL's own programs, as a role of the server's."""
        argv = [f"{programs(self.host)}/{program}", "--no-password", *words]
        argv += [
            f"--host={self.directory}",
            f"--port={self.port}",
            f"--username={user}",
        ]
        if database is not None:
            # a name may look like a connection string
            argv.append(f"--dbname={conninfo.make_conninfo(dbname=database)}")
        ran = self.host.run(argv, user=DATASTORE.user, timeout=within, check=False)
        if ran.returncode:
            raise errors.EngineFailed(why=f"{program}: {scrub(ran.stderr)}")


@contextlib.contextmanager
def alone(
    host: Host,
    places: Places,
    port: int,
    *,
    haste: bool = False,
    config: str | None = None,
) -> typing.Iterator[Alone]:
    """Runs it for as long as this lasts; the served one is stopped before.

    ``config``: its file, where that is not the served one's.
    """
    path = host.path(f"/etc/systemd/system/{UNIT}")
    unit = Unit(host, UNIT, path, rf"\b(FATAL|PANIC):{TURNED_AWAY}")
    unit.stop()  # one that an earlier try has left
    directory = host.path(f"/run/{NAME}")
    settings = f"{places.settings}/alone"
    host.make_directory(settings)
    host.write_file(f"{settings}/pg_hba.conf", WHO_MAY_ENTER)
    host.write_file(f"{settings}/pg_ident.conf", WHO_WE_ARE)
    said = [
        *SETTINGS,
        *(HASTE if haste else ()),
        f"unix_socket_directories={directory}",
        f"hba_file={settings}/pg_hba.conf",
        f"ident_file={settings}/pg_ident.conf",
    ]
    lines = LINES.format(
        name=NAME,
        programs=programs(host),
        data=places.data,
        settings=config or f"{places.settings}/postgresql.conf",
        said="".join(f" -c {each}" for each in said),
    )
    title = "PostgreSQL for the agent alone"
    unit.install(title, places, DATASTORE.user, lines, f"Conflicts={SERVED}\n")
    unit.start()
    try:
        yield Alone(host, directory, port, unit)
    finally:
        unit.stop()
