# SPDX-License-Identifier: Apache-2.0
"""What the control plane must know of MySQL."""

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
    max_user=32 * 3,
    max_database=64 * 3,
    # Names live in columns of three-byte UTF-8. One beyond it would be stored with "?"
    # for the letter, without a word: another name.
    highest="\uffff",
    user_budgets=(Budget(32),),
    database_budgets=(
        Budget(64),
        # A database is a directory, in which all but these take five characters.
        Budget(255, dear="[^A-Za-z0-9_]", each=5),
    ),
    reserved_users=frozenset(
        "os_admin root mysql mysql.infoschema mysql.session mysql.sys event_scheduler "
        "trove_admin trove_backup trove_monitor trove_replication".split()
    ),
    reserved_user_prefixes=(LOADER_PREFIX,),
    reserved_databases=RESERVED_DATABASES,
    reserved_database_prefixes=(RAW_DIRECTORY,),
    hosts=True,
    # The server takes such a pair off the name that a client gives.
    stripped="'",
)

DATASTORE = Datastore(
    name="mysql",
    port=3306,
    user="mysql",
    data="/srv/mysql",
    can=Can(
        back_up=True,
        hash_rows=True,
        back_up_incrementally=True,
        chain_apart=True,
        restore_to_time=True,
        dump=True,
        snapshot=True,
    ),
    stands_on="log",
    dumped=".sql.zst",
    naming=NAMING,
    agent="trove.datastores.mysql.agent",
    parameters=parameters(__package__),
    policy=policy(__package__),
    # It upgrades data itself, but only from the release series before its own, and
    # will not start on others: a next series is another instance's.
    same=1,
    character_sets=frozenset(CHARACTER_SETS.split()) | {"gb18030"},
    logs=(Log("general"), Log("slow_query"), Log("error", system=True), GUEST_LOG),
    builds=(Build("9.7", "trixie", (), later=("mysql-server",)),),
    units=("mysql.service",),
    emptied=("var/lib/mysql",),
    firststeps="trove.datastores.mysql.firststeps",
    requires=("PyMySQL==1.2.4",),
)
