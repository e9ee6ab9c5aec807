# SPDX-License-Identifier: Apache-2.0
"""What is in a server, as numbers and hashes that another version must come to as well.

Rows are hashed as the text that the engine's own output functions make of them, in no
order. Nothing that a tenant made is executed: names are of ``pg_catalog``, and a row is
turned to text by ``record_out``, for a cast of its type would be a tenant's.
"""

import hashlib
import typing

from psycopg.sql import SQL, Composed, Identifier, Literal

from trove import errors
from trove.datastores.postgresql.agent.alone import Alone
from trove.datastores.postgresql.agent.sql import Statement, Talk, fill

WITHIN = 6 * 3600.0
"""Seconds for the rows of one table."""
LOOK = 300.0
"""Seconds for what only the catalogues are asked."""

Measured = dict[str, list[typing.Any]]
"""By what was measured: how many there are, and the hash of all."""

SAME_WORDS = (
    "SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; "
    "SET bytea_output = 'hex'; SET extra_float_digits = 1; SET xmloption = 'content'"
)

OWN = SQL("""\
n.nspname NOT IN ('pg_catalog', 'information_schema') \
AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp\\_%'""")
"""Schemas ``n`` that are tenants'."""


def _ours(table: typing.LiteralString, row: typing.LiteralString) -> Composed:
    """In such a schema, and no extension's: it is another in another version."""
    return SQL("""{own} AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.deptype = 'e' \
AND e.classid = {table}::regclass AND e.objid = {row}.oid)""").format(
        own=OWN, table=Literal(table), row=Identifier(row)
    )


def _grants(acl: typing.LiteralString) -> Composed:
    """What an access list says; MAINTAIN came with 17, to whoever had all."""
    return SQL("""coalesce((SELECT string_agg(g, ',' ORDER BY g) FROM (SELECT concat(\
CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, '=', \
a.privilege_type, a.is_grantable) AS g FROM aclexplode({acl}) AS a \
WHERE a.privilege_type <> 'MAINTAIN') AS granted), '')""").format(acl=SQL(acl))


RELATIONS = SQL("""pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
WHERE {ours}""").format(ours=_ours("pg_class", "c"))
TABLES = SQL("""SELECT n.nspname, c.relname FROM {relations} \
AND c.relkind = 'r' ORDER BY 1, 2""").format(relations=RELATIONS)
SEQUENCES = SQL("""SELECT n.nspname, c.relname FROM {relations} \
AND c.relkind = 'S' ORDER BY 1, 2""").format(relations=RELATIONS)
# Two halves of each row's hash are summed, so that no order matters and a row that is
# there twice counts twice.
ROWS: typing.LiteralString = """\
SELECT count(*), coalesce(sum(('x' || left(h, 16))::bit(64)::bigint::numeric), 0)::text
|| ' ' || coalesce(sum(('x' || right(h, 16))::bit(64)::bigint::numeric), 0)::text
FROM (SELECT md5(textin(record_out(t.*))) AS h FROM ONLY {table} AS t) AS hashes"""
POSITION: typing.LiteralString = "SELECT last_value, is_called FROM {sequence}"


def _of_table(
    catalogue: typing.LiteralString,
    table: typing.LiteralString,
    what: typing.LiteralString,
    only: typing.LiteralString = "true",
) -> Composed:
    """Rows ``r`` of a catalogue that are each of a table ``c``."""
    return SQL("""SELECT concat_ws(' ', n.nspname, c.relname, {what}) \
FROM {catalogue} r JOIN pg_class c ON c.oid = r.{table} \
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {only} AND {ours}""").format(
        what=SQL(what),
        catalogue=Identifier(catalogue),
        table=Identifier(table),
        only=SQL(only),
        ours=_ours("pg_class", "c"),
    )


SCHEMAS = SQL("""SELECT concat_ws(' ', n.nspname, n.nspowner::regrole, {grants}) \
FROM pg_namespace n WHERE {ours}""").format(
    grants=_grants("coalesce(n.nspacl, acldefault('n', n.nspowner))"),
    ours=_ours("pg_namespace", "n"),
)
EACH_RELATION = SQL("""SELECT concat_ws(' ', c.relkind, n.nspname, c.relname, \
c.relowner::regrole, c.relrowsecurity, c.relforcerowsecurity, c.relpersistence, \
CASE WHEN c.relkind IN ('r', 'p', 'v', 'm', 'S') THEN {grants} END) \
FROM {relations}""").format(
    grants=_grants("""coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' \
THEN 's'::"char" ELSE 'r'::"char" END, c.relowner))"""),
    relations=RELATIONS,
)
COLUMN_GRANTS = SQL("""\
SELECT concat_ws(' ', n.nspname, c.relname, r.attname, {grants}) FROM pg_attribute r \
JOIN pg_class c ON c.oid = r.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
WHERE r.attacl IS NOT NULL AND {ours}""").format(
    grants=_grants("r.attacl"), ours=_ours("pg_class", "c")
)
ROUTINES = SQL("""SELECT concat_ws(' ', n.nspname, p.proname, \
pg_get_function_identity_arguments(p.oid), p.proowner::regrole, p.prosecdef, \
md5(p.prosrc), {grants}) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
WHERE {ours}""").format(
    grants=_grants("coalesce(p.proacl, acldefault('f', p.proowner))"),
    ours=_ours("pg_proc", "p"),
)
TYPES = SQL("""SELECT concat_ws(' ', n.nspname, t.typname, t.typtype, \
t.typowner::regrole) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace \
WHERE t.typtype IN ('d', 'e', 'r') AND {ours}""").format(ours=_ours("pg_type", "t"))
DEFAULT_GRANTS = SQL("""SELECT concat_ws(' ', d.defaclrole::regrole, \
(SELECT n.nspname FROM pg_namespace n WHERE n.oid = d.defaclnamespace), \
d.defaclobjtype, {grants}) FROM pg_default_acl d""").format(
    grants=_grants("d.defaclacl")
)

INVENTORY: dict[str, Statement] = {
    "schemas": SCHEMAS,
    "relations": EACH_RELATION,
    "columns": _of_table(
        "pg_attribute",
        "attrelid",
        "r.attname, format_type(r.atttypid, r.atttypmod), r.attnotnull, r.attidentity, "
        "r.attgenerated",
        "r.attnum > 0 AND NOT r.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm')",
    ),
    "column grants": COLUMN_GRANTS,
    "constraints": _of_table(
        "pg_constraint",
        "conrelid",
        "r.conname, r.contype, r.convalidated",
        # 18 has others, which were always there and had no name
        "r.contype IN ('c', 'f', 'p', 'u', 'x')",
    ),
    "triggers": _of_table(
        "pg_trigger", "tgrelid", "r.tgname, r.tgenabled", "NOT r.tgisinternal"
    ),
    "policies": _of_table("pg_policy", "polrelid", "r.polname, r.polcmd"),
    "routines": ROUTINES,
    "types": TYPES,
    "default grants": DEFAULT_GRANTS,
    "large objects": SQL("""SELECT concat_ws(' ', m.oid, m.lomowner::regrole, \
md5(lo_get(m.oid))) FROM pg_largeobject_metadata m"""),
    "extensions": SQL("SELECT extname::text FROM pg_extension"),
}

DATABASES = SQL("""SELECT concat_ws(' ', d.datname, d.datdba::regrole, \
pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, d.datlocprovider, \
d.datconnlimit, {grants}) FROM pg_database d WHERE NOT d.datistemplate""").format(
    grants=_grants("coalesce(d.datacl, acldefault('d', d.datdba))")
)

ROLES = SQL("""SELECT concat_ws(' ', rolname, rolsuper, rolinherit, rolcreaterole, \
rolcreatedb, rolcanlogin, rolreplication, rolbypassrls, rolconnlimit, rolpassword, \
extract(epoch FROM rolvaliduntil)) FROM pg_authid \
WHERE rolname NOT LIKE 'pg\\_%' AND rolname <> 'postgres'""")
MEMBERS = SQL("""SELECT DISTINCT concat_ws(' ', roleid::regrole, member::regrole, \
admin_option) FROM pg_auth_members WHERE member::regrole::text NOT LIKE 'pg\\_%'""")
SETTINGS = SQL("""SELECT concat_ws(' ', d.datname, s.setrole::regrole, s.setconfig) \
FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase""")

NAMES = """SELECT datname FROM pg_database WHERE NOT datistemplate \
AND datallowconn AND datname <> 'postgres' ORDER BY 1"""


class Different(errors.EngineFailed):
    """A copy that is not what was copied."""

    sentence = "the copy differs: {what} were {before} and are {after}"


def databases(server: Alone) -> list[str]:
    """The names of the tenants' databases."""
    with server.open() as talk:
        return [str(name) for (name,) in talk.rows(NAMES, LOOK)]


def people(server: Alone) -> Measured:
    """All roles, with what they log in by, and who is whose member."""
    with server.open() as talk:
        return {"users": _lines(talk, ROLES), "memberships": _lines(talk, MEMBERS)}


def houses(server: Alone) -> Measured:
    """All databases, whose they are and who may enter, and their settings."""
    with server.open() as talk:
        return {
            "databases": _lines(talk, DATABASES),
            "settings": _lines(talk, SETTINGS),
        }


def contents(server: Alone, database: str) -> Measured:
    """Everything in one database."""
    with server.open(database) as talk:
        talk.rows(SAME_WORDS, LOOK)
        found = {what: _lines(talk, asked) for what, asked in INVENTORY.items()}
        for schema, name in talk.rows(TABLES, LOOK):
            ((count, sums),) = talk.rows(_of(ROWS, "table", schema, name), WITHIN)
            found[f"rows of {schema}.{name}"] = [count, sums]
        for schema, name in talk.rows(SEQUENCES, LOOK):
            (at,) = talk.rows(_of(POSITION, "sequence", schema, name), LOOK)
            found[f"values of {schema}.{name}"] = list(at)
    return found


def compare(place: str, before: Measured, after: Measured) -> None:
    """Raises ``Different`` with the first that is not as it was."""
    for what in sorted(before.keys() | after.keys()):
        was, now = before.get(what), after.get(what)
        if was != now:
            raise Different(
                what=f"{what} in {place}", before=_shown(was), after=_shown(now)
            )


def _shown(measured: list[typing.Any] | None) -> str:
    """The count, and a little of the hash: who reads it need not see more."""
    if measured is None:
        return "none"
    count, hashed = measured
    return f"{count} ({hashlib.sha256(str(hashed).encode()).hexdigest()[:8]})"


def _of(statement: typing.LiteralString, part: str, schema: str, name: str) -> Composed:
    return fill(statement, **{part: Identifier(schema, name)})


def _lines(talk: Talk, statement: Statement) -> list[typing.Any]:
    """How many there are, and one hash of all, in no order."""
    lines = sorted(str(line) for (line,) in talk.rows(statement, WITHIN))
    return [len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()]
