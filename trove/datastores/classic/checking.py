# SPDX-License-Identifier: Apache-2.0
"""Every table is read by the engine's own checker, which says of each how it is.

It has the server run ``CHECK TABLE``: each page of an index is compared with its
checksum, and the indexes of a table with one another. It comes in by the socket as
root. Its code is of no use: it ends with 0 after it has said that a table is corrupt.
"""

import re
import typing

from trove import errors
from trove.datastores.classic.places import Places
from trove.datastores.classic.sql import Talk, literal
from trove.datastores.protocol import Host
from trove.datastores.unit import scrub

WITHIN = 12 * 3600.0
"""Seconds in which every table is read."""
WELL = re.compile(r"\sOK$", re.MULTILINE)
SICK = re.compile(r"^error\s*:", re.MULTILINE | re.IGNORECASE)
"""Of a table; a warning or a note beside it is none."""
LOOK = 60.0
TABLES = """\
SELECT table_schema, table_name, engine FROM information_schema.tables
WHERE table_schema NOT IN
('mysql', 'information_schema', 'performance_schema', 'sys')"""
NOWHERE = ("MEMORY", "BLACKHOLE", "FEDERATED", "SEQUENCE")
"""Engines that have no rows of their own on the disk."""


def check(host: Host, places: Places, program: str) -> None:
    """Raises ``errors.EngineFailed`` when a table is sick, or none was looked at."""
    argv = [program, "--no-defaults", f"--socket={places.socket}", "--user=root"]
    argv += ["--all-databases", "--check"]
    ran = host.run(argv, timeout=WITHIN, check=False)
    well = WELL.search(ran.stdout) and not SICK.search(ran.stdout)
    if ran.returncode or not well:
        said = _complaint(ran.stdout, ran.stderr)
        raise errors.EngineFailed(why=f"{program}: {said}")


def _complaint(said: str, complained: str) -> str:
    """What is not well, as it was said: the table's name stands before its errors."""
    lines = [line for line in said.splitlines() if not WELL.search(line)]
    return scrub("\n".join([*lines, complained])) or "it looked at nothing"


def crash_safe(talk: Talk, safe: typing.Collection[str]) -> None:
    """Raises ``errors.EngineFailed`` when a table of a tenant's is of an engine that a
    power cut may leave in pieces."""
    names = ", ".join(literal(name) for name in sorted({*safe, *NOWHERE}))
    statement = f"{TABLES} AND engine NOT IN ({names}) LIMIT 1"
    for schema, table, engine in talk.rows(statement, LOOK):
        raise errors.EngineFailed(
            why=f"table {schema}.{table} is of the engine {engine}, which does not "
            "recover from a power cut, and a volume's snapshot is one: have it be "
            "InnoDB, or make a backup that is no snapshot"
        )
