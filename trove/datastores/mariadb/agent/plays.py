# SPDX-License-Identifier: Apache-2.0
"""How MariaDB is told to play a binary log that it did not write."""

from trove.datastores.classic.replay import Applier

ALONE = ("--max-statement-time=0", "--slave-run-triggers-for-rbr=NO")

APPLIER = Applier(
    change=(
        "CHANGE MASTER TO MASTER_HOST = 'localhost', MASTER_USE_GTID = no, "
        "RELAY_LOG_FILE = {file}, RELAY_LOG_POS = {place}"
    ),
    start=(
        "START SLAVE SQL_THREAD UNTIL RELAY_LOG_FILE = {file}, RELAY_LOG_POS = {place}"
    ),
    status="SHOW SLAVE STATUS",
    running="Slave_SQL_Running",
    end=("STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL gtid_slave_pos = ''"),
)
