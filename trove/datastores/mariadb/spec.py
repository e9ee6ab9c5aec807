# SPDX-License-Identifier: Apache-2.0
"""What the control plane must know of MariaDB."""

from trove.datastores.classic.names import (
    CHARACTER_SETS,
    LOADER_PREFIX,
    RAW_DIRECTORY,
    RESERVED_DATABASES,
)
from trove.datastores.policy import policy
from trove.datastores.spec import (
    GUEST_LOG,
    Budget,
    Build,
    Can,
    Datastore,
    Log,
    Naming,
    parameters,
)

NAMING = Naming(
    max_user=128 * 3,
    max_database=64 * 3,
    # Names live in columns of three-byte UTF-8. A user's name beyond it would be stored
    # with "?" for the letter, without a word: another user.
    highest="\uffff",
    user_budgets=(Budget(128),),
    database_budgets=(
        Budget(64),
        # A database is a directory, in which all but these take five characters.
        Budget(255, dear="[^A-Za-z0-9_]", each=5),
        # A grant holds the name as a pattern, 64 long, with these escaped.
        Budget(64, dear=r"[_%\\]", each=2),
    ),
    reserved_users=frozenset(
        "os_admin root mysql mariadb.sys public trove_admin trove_backup trove_monitor "
        "trove_replication".split()
    ),
    reserved_user_prefixes=(LOADER_PREFIX,),
    reserved_databases=RESERVED_DATABASES,
    reserved_database_prefixes=(RAW_DIRECTORY,),
    hosts=True,
    # MariaDB's parse_client_handshake_packet().
    stripped="'",
)

PACKAGES = ("mariadb-backup", "mariadb-client", "mariadb-server")

DATASTORE = Datastore(
    name="mariadb",
    port=3306,
    user="mysql",
    data="/srv/mariadb",
    can=Can(
        back_up=True,
        hash_rows=True,
        back_up_incrementally=True,
        snapshot=True,
        restore_to_time=True,
        dump=True,
    ),
    dumped=".sql.zst",
    naming=NAMING,
    agent="trove.datastores.mariadb.agent",
    parameters=parameters(__package__),
    policy=policy(__package__),
    character_sets=frozenset(CHARACTER_SETS.split()),
    logs=(Log("general"), Log("slow_query"), Log("error", system=True), GUEST_LOG),
    builds=(
        Build("10.11", "bookworm", PACKAGES),
        Build("11.8", "trixie", PACKAGES),
    ),
    units=("mariadb.service",),
    emptied=("var/lib/mysql",),
    firststeps="trove.datastores.mariadb.firststeps",
    requires=("PyMySQL==1.2.4",),
)
