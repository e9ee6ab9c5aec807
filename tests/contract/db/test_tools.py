# SPDX-License-Identifier: Apache-2.0
"""The operator's tools take their leave: a server's log has nothing of them."""

import subprocess
import sys

import pytest
import sqlalchemy as sa

from trove.db.session import Database

CONF = """
[database]
connection = {url}
"""
COMMANDS = (
    ("trove.cmd.manage", "db", "version"),
    ("trove.cmd.manage", "datastore", "list"),
    ("trove.cmd.status", "upgrade", "check"),
)


def cut_off(database: Database) -> int:
    """How many connections ended without a word, as MariaDB counts them."""
    with database.engine.connect() as line:
        row = line.execute(sa.text("SHOW GLOBAL STATUS LIKE 'Aborted_clients'"))
        return int(row.one()[1])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: "-".join(words[1:]))
def test_nothing_is_said_to_be_aborted(mariadb, migrated, tmp_path, command):
    url = migrated("mariadb")
    database = Database(url)
    conf = tmp_path / "trove.conf"
    conf.write_text(CONF.format(url=url))
    before = cut_off(database)
    module, *words = command
    argv = [sys.executable, "-m", module, "--config-file", str(conf), *words]
    done = subprocess.run(argv, capture_output=True, timeout=60, check=False)
    assert done.returncode in (0, 2), done.stderr  # 2: the check has things to say
    assert cut_off(database) == before
    database.close()
