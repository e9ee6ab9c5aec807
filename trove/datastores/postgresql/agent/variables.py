# SPDX-License-Identifier: Apache-2.0
"""The parameters of a running PostgreSQL: what is in force, and what waits.

The engine's own word: ``pg_settings`` and ``pg_file_settings``, after it has read its
files.
"""

import typing

from psycopg import sql

from trove import errors
from trove.datastores.layers import Settings
from trove.datastores.postgresql.agent.sql import Talk
from trove.datastores.unit import scrub

TIMEOUT = 10.0

SELECT = sql.SQL(
    "SELECT lower(name), sourcefile, source = 'client', context = 'postmaster', "
    "pending_restart FROM pg_settings WHERE lower(name) = ANY({})"
)
FILES = "SELECT lower(name), sourcefile, applied, error FROM pg_file_settings"


def check(
    talk: Talk, names: typing.Iterable[str], group: Settings, path: str
) -> tuple[str, ...]:
    """The names that wait for a restart; the others have the value of ``path``.

    Raises ``errors.EngineFailed`` when one has not. What our own conversation sets
    otherwise for itself is by ``pg_file_settings`` alone.
    """
    rows = talk.rows(SELECT.format(sql.Literal(list(names))), TIMEOUT)
    waiting = sorted(name for name, *_, pending in rows if pending)
    applied = set()
    for name, file, taken, error in talk.rows(FILES, TIMEOUT):
        if error and name not in waiting:
            raise errors.EngineFailed(why=scrub(f"{name}: {error}"))
        if taken and file == path:
            applied.add(name)
    for name, file, by_us, fixed, _pending in rows:
        if name not in group or fixed:  # it has the value, or it waits
            continue
        if name not in applied or not (by_us or file == path):
            why = f"{name} was written down, and its value is not from there"
            raise errors.EngineFailed(why=why)
    return tuple(waiting)
