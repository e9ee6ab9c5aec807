# SPDX-License-Identifier: Apache-2.0
"""What the control plane must know of MySQL."""

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

CHARACTER_SETS = (
    "armscii8 ascii big5 binary cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 cp932 "
    "dec8 eucjpms euckr gb18030 gb2312 gbk geostd8 greek hebrew hp8 keybcs2 koi8r "
    "koi8u latin1 latin2 latin5 latin7 macce macroman sjis swe7 tis620 ucs2 ujis utf16 "
    "utf16le utf32 utf8 utf8mb3 utf8mb4"
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
    reserved_databases=frozenset(
        "mysql information_schema performance_schema sys trove_internal".split()
    ),
    # What older versions took for the raw name of a directory.
    reserved_database_prefixes=("#mysql50#",),
    hosts=True,
    # The server takes such a pair off the name that a client gives.
    stripped="'",
)

DATASTORE = Datastore(
    name="mysql",
    port=3306,
    user="mysql",
    data="/srv/mysql",
    can=Can(),
    naming=NAMING,
    agent="trove.datastores.mysql.agent",
    parameters=parameters(__package__),
    policy=policy(__package__),
    # It upgrades data itself, but only from the release series before its own, and
    # will not start on others: a next series is another instance's.
    same=1,
    character_sets=frozenset(CHARACTER_SETS.split()),
    logs=(Log("general"), Log("slow_query"), Log("error", system=True), GUEST_LOG),
    builds=(Build("9.7", "trixie", (), later=("mysql-server",)),),
    units=("mysql.service",),
    emptied=("var/lib/mysql",),
    firststeps="trove.datastores.mysql.firststeps",
    requires=("PyMySQL==1.2.4",),
)
