# SPDX-License-Identifier: Apache-2.0
"""How MySQL is told to play a binary log that it did not write.

What a backup has of it already it knows by the transactions' names (GTIDs).
"""

from trove.datastores.classic.replay import Applier

ALONE = ("--super-read-only=OFF", "--relay-log-recovery=OFF")

APPLIER = Applier(
    change=(
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'localhost', "
        "SOURCE_AUTO_POSITION = 0, REQUIRE_ROW_FORMAT = 1, "
        "RELAY_LOG_FILE = {file}, RELAY_LOG_POS = {place}"
    ),
    start=(
        "START REPLICA SQL_THREAD UNTIL RELAY_LOG_FILE = {file}, "
        "RELAY_LOG_POS = {place}"
    ),
    status="SHOW REPLICA STATUS",
    running="Replica_SQL_Running",
    end=("STOP REPLICA", "RESET REPLICA ALL"),
)
