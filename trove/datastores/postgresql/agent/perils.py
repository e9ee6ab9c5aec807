# SPDX-License-Identifier: Apache-2.0
"""What a dump of a tenant's could have the superuser execute when it is loaded.

Tables, types and functions are made by the superuser, before there are rows. Two kinds
of definition hold a value that is turned into a type at once: the initial state of an
aggregate, and the bounds of a partition. A domain's CHECK is evaluated for it, and that
is a tenant's function. Both are as good as never met; where one is, it is said.
"""

from psycopg.sql import SQL

from trove import errors
from trove.datastores.postgresql.agent.sql import Talk

WITHIN = 60.0

HARMLESS = SQL("""\
(t.typnamespace = 'pg_catalog'::regnamespace OR t.typtype = 'e' \
OR (t.typtype = 'b' AND t.typelem = 0))""")
"""A type ``t`` whose values are read by functions of the engine's or an extension's."""

STATES = SQL("""\
SELECT a.aggfnoid::regproc::text FROM pg_aggregate a JOIN pg_type t \
ON t.oid IN (a.aggtranstype, a.aggmtranstype) \
WHERE (a.agginitval IS NOT NULL OR a.aggminitval IS NOT NULL) AND NOT {harmless}\
""").format(harmless=HARMLESS)
BOUNDS = SQL("""\
SELECT p.partrelid::regclass::text FROM pg_partitioned_table p WHERE EXISTS (\
SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
WHERE a.attrelid = p.partrelid AND a.attnum = ANY (p.partattrs) AND NOT {harmless}) \
OR (p.partexprs IS NOT NULL AND EXISTS (SELECT FROM pg_type t \
WHERE t.typtype = 'd' AND t.typnamespace <> 'information_schema'::regnamespace))\
""").format(harmless=HARMLESS)


class Perilous(errors.Invalid):
    """It cannot be loaded safely."""

    sentence = (
        "Database {database}: {what} {name} has a value of a type that you defined, "
        "which cannot be carried over safely; drop it first, and make it again after."
    )


def refuse(talk: Talk, database: str) -> None:
    """Raises ``Perilous`` for what is in the conversation's database."""
    kinds = {"the initial state of aggregate": STATES, "a bound of table": BOUNDS}
    for what, statement in kinds.items():
        for (name,) in talk.rows(statement, WITHIN):
            raise Perilous(database=database, what=what, name=name)
