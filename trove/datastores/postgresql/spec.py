# SPDX-License-Identifier: Apache-2.0
"""What the control plane must know of PostgreSQL."""

from trove.datastores.spec import Can, Datastore, Naming, parameters

NAMING = Naming(
    # A longer name would be cut by the engine, and be another's.
    max_user=63,
    max_database=63,
    reserved_users=frozenset(
        "os_admin postgres root public none current_role current_user session_user "
        "trove_admin trove_backup trove_monitor trove_replication".split()
    ),
    reserved_user_prefixes=("pg_",),
    reserved_databases=frozenset(
        "os_admin postgres template0 template1 trove_internal".split()
    ),
    hosts=False,
)

DATASTORE = Datastore(
    name="postgresql",
    port=5432,
    user="postgres",
    data="/srv/postgresql",
    can=Can(),
    naming=NAMING,
    agent="trove.datastores.postgresql.agent",
    parameters=parameters(__package__),
    character_sets=frozenset(("utf8", "utf-8", "unicode", "sql_ascii", "latin1")),
)
