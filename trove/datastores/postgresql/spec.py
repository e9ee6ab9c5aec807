# SPDX-License-Identifier: Apache-2.0
"""What the control plane must know of PostgreSQL."""

from trove.datastores.policy import policy
from trove.datastores.spec import (
    GUEST_LOG,
    Build,
    Can,
    Datastore,
    Log,
    Naming,
    parameters,
)

CHARACTER_SETS = (
    "utf8 utf-8 unicode sql_ascii latin1 latin2 latin3 latin4 latin5 latin6 latin7 "
    "latin8 latin9 latin10 iso_8859_5 iso_8859_6 iso_8859_7 iso_8859_8 koi8 koi8r "
    "koi8u win866 win874 win1250 win1251 win1252 win1253 win1254 win1255 win1256 "
    "win1257 win1258 euc_cn euc_jp euc_jis_2004 euc_kr euc_tw mule_internal"
)

LOADER = "trove_loader"
"""The role that loads a copy of the data into a new version, or a dump, while that
lasts."""

DUMPER = "trove_backup"
"""The role that reads a database while it is dumped."""

NAMING = Naming(
    # A longer name would be cut by the engine, and be another's.
    max_user=63,
    max_database=63,
    reserved_users=frozenset(
        "os_admin postgres root public none current_role current_user session_user "
        f"trove_admin {DUMPER} {LOADER} trove_monitor trove_replication".split()
    ),
    reserved_user_prefixes=("pg_",),
    reserved_databases=frozenset(
        "os_admin postgres template0 template1 trove_internal".split()
    ),
    hosts=False,
)

PACKAGES = ("postgresql", "postgresql-client")

DATASTORE = Datastore(
    name="postgresql",
    port=5432,
    user="postgres",
    data="/srv/postgresql",
    can=Can(
        back_up=True,
        hash_rows=True,
        snapshot=True,
        back_up_incrementally=True,
        chain_apart=True,
        restore_to_time=True,
        restore_within_a_second=True,
        restore_to_point=True,
        dump=True,
    ),
    dumped=".dump",
    increments_since=(17,),
    stands_on="manifest",
    naming=NAMING,
    agent="trove.datastores.postgresql.agent",
    parameters=parameters(__package__),
    policy=policy(__package__),
    same=1,
    carries=True,
    character_sets=frozenset(CHARACTER_SETS.split()),
    logs=(Log("general"), GUEST_LOG),
    builds=(
        Build("15", "bookworm", PACKAGES),
        Build("17", "trixie", PACKAGES),
    ),
    units=("postgresql.service",),
    emptied=("var/lib/postgresql",),
    firststeps="trove.datastores.postgresql.firststeps",
    requires=("psycopg==3.3.9", "psycopg-binary==3.3.9"),
)
