# SPDX-License-Identifier: Apache-2.0
"""Every table is read by the engine's own checker, which says of each how it is.

It has the server run ``CHECK TABLE``: each page of an index is compared with its
checksum, and the indexes of a table with one another. It comes in by the socket as
root. Its code is of no use: it ends with 0 after it has said that a table is corrupt.
"""

import re

from trove import errors
from trove.datastores.classic.places import Places
from trove.datastores.protocol import Host
from trove.datastores.unit import scrub

WITHIN = 12 * 3600.0
"""Seconds in which every table is read."""
WELL = re.compile(r"\sOK$", re.MULTILINE)
SICK = re.compile(r"^error\s*:", re.MULTILINE | re.IGNORECASE)
"""Of a table; a warning or a note beside it is none."""


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
