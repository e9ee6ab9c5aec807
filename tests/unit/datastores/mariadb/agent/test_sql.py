# SPDX-License-Identifier: Apache-2.0
"""MariaDB's own hash."""

from trove.datastores.mariadb.agent import sql


def test_the_hash_is_the_one_the_server_makes():
    assert sql.native_hash("password") == "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"
