# SPDX-License-Identifier: Apache-2.0
"""Data that another version does not take over as they are: out of one, into the other.

By PostgreSQL's own dump, which the new version sorts and stores by its own rules, and
the libraries of its Debian. What was dumped is measured (``measures``), and the copy
must come to the same. No function of a tenant's runs as the superuser meanwhile: the
rows, and all that looks at rows, are loaded by a role that is every tenant and no more
(a CHECK constraint is evaluated as whoever loads).
"""

import json
import os

from psycopg.sql import Identifier

from trove import errors
from trove.datastores.postgresql.agent import measures, perils
from trove.datastores.postgresql.agent.accounts import ROOT, exists
from trove.datastores.postgresql.agent.alone import Alone
from trove.datastores.postgresql.agent.sql import fill
from trove.datastores.postgresql.spec import DATASTORE, LOADER

MANIFEST, USERS = "manifest.json", "users.sql"
WITHIN = measures.WITHIN
LOOK = measures.LOOK
JOBS = 2
"""Tables that are dumped or loaded at once."""

SIZE = "SELECT coalesce(sum(pg_database_size(oid)), 0)::bigint FROM pg_database"
TENANTS = """SELECT rolname FROM pg_roles \
WHERE NOT rolsuper AND rolname NOT LIKE 'pg\\_%' ORDER BY 1"""
READS_AND_WRITES = ("pg_read_all_data", "pg_write_all_data")


class NoRoom(errors.Invalid):
    """The new data would not fit beside the old."""

    sentence = (
        "The new version needs room for a copy of the data ({needed} MiB) and {free} "
        "MiB are free; make the volume larger first."
    )


def unload(server: Alone, directory: str) -> None:
    """All that is in the server, in a directory that is there when it is whole.

    ``directory`` is new, and the engine's user's.
    """
    host = server.host
    with server.open() as talk:
        ((size,),) = talk.rows(SIZE, LOOK)
        if exists(talk, "pg_roles", "rolname", LOADER):
            raise errors.Invalid(
                why=f"rename the user {LOADER} first: that name is ours"
            )
    _has_room(directory, size)
    users = f"--file={directory}/{USERS}"
    server.run("pg_dumpall", "--roles-only", "--no-sync", users, within=LOOK)
    names = measures.databases(server)
    for number, name in enumerate(names):
        words = (
            "--format=directory",
            f"--jobs={JOBS}",
            "--create",
            "--no-sync",
            f"--file={directory}/{number}",
        )
        with server.open(name) as talk:
            perils.refuse(talk, name)
        server.run("pg_dump", *words, database=name, within=WITHIN)
    _has_room(directory, size)
    manifest = {
        "people": measures.people(server),
        "houses": measures.houses(server),
        "contents": [[name, measures.contents(server, name)] for name in names],
    }
    host.write_file(
        f"{directory}/{MANIFEST}",
        json.dumps(manifest),
        mode=0o600,
        owner=DATASTORE.user,
    )


def load(server: Alone, directory: str) -> None:
    """Has a new server have all of it; raises ``measures.Different`` if it has not."""
    text = server.host.read_file(f"{directory}/{MANIFEST}")
    if text is None:
        raise errors.EngineFailed(why="there is nothing to load")
    manifest = json.loads(text)
    _load_users(server, directory)
    measures.compare("the server", manifest["people"], measures.people(server))
    _begin(server)
    for number, (name, _) in enumerate(manifest["contents"]):
        _load_database(server, f"{directory}/{number}", name)
    _end(server)
    measures.compare("the server", manifest["people"], measures.people(server))
    measures.compare("the server", manifest["houses"], measures.houses(server))
    for name, before in manifest["contents"]:
        measures.compare(f"database {name}", before, measures.contents(server, name))
    # without what the planner knows of the rows, the first hours would be slow
    words = ("--all", "--analyze-only", f"--jobs={JOBS}", "--quiet")
    server.run("vacuumdb", *words, within=WITHIN)


def _has_room(directory: str, size: int) -> None:
    found = os.statvfs(directory)
    free = found.f_bavail * found.f_frsize
    if size > free:
        raise NoRoom(needed=size >> 20, free=free >> 20)


def _load_users(server: Alone, directory: str) -> None:
    """psql goes on where a statement fails, and the superuser is there already; what it
    made is compared."""
    words = ("--no-psqlrc", "--quiet", f"--file={directory}/{USERS}")
    server.run("psql", *words, database="postgres", within=LOOK)
    with server.open() as talk:
        if exists(talk, "pg_roles", "rolname", ROOT):
            statement = "GRANT CONNECT ON DATABASE postgres TO {root}"
            talk.rows(fill(statement, root=Identifier(ROOT)), LOOK)


def _load_database(server: Alone, dump: str, name: str) -> None:
    """What has rows in it by a role that is every tenant, what has none by ours."""

    def restore(section: str, database: str, user: str, *more: str) -> None:
        words = (f"--section={section}", "--exit-on-error", "--format=directory", *more)
        server.run(
            "pg_restore", *words, dump, database=database, user=user, within=WITHIN
        )

    restore("pre-data", "postgres", DATASTORE.user, "--create")
    restore("data", name, LOADER, f"--jobs={JOBS}")
    restore("post-data", name, LOADER, f"--jobs={JOBS}")


def _begin(server: Alone) -> None:
    """The role is there, a member of everyone."""
    loader = Identifier(LOADER)
    with server.open() as talk:
        everyone = [str(name) for (name,) in talk.rows(TENANTS, LOOK)]
        talk.rows(fill("CREATE ROLE {loader} LOGIN BYPASSRLS", loader=loader), LOOK)
        statement = "ALTER ROLE {loader} SET lo_compat_privileges = on"
        talk.rows(fill(statement, loader=loader), LOOK)
        for name in (*READS_AND_WRITES, *everyone):
            grant = fill("GRANT {r} TO {loader}", r=Identifier(name), loader=loader)
            talk.rows(grant, LOOK)


def _end(server: Alone) -> None:
    """Nobody comes by it any more, and it has nothing."""
    with server.open() as talk:
        talk.rows(fill("DROP ROLE {loader}", loader=Identifier(LOADER)), LOOK)
