# SPDX-License-Identifier: Apache-2.0
"""trove-status tells an operator what must be done before an upgrade."""

import pytest
from cryptography import fernet

from trove.cmd import status
from trove.db import migrate
from trove.db.session import Database
from trove.rpc import signing

# oslo.upgradecheck prints its table with an old name.
pytestmark = pytest.mark.filterwarnings("ignore:the 'ALL' constant is deprecated")


@pytest.fixture
def deployment(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(fernet.Fernet.generate_key().decode())
    keys.chmod(0o600)
    url = f"sqlite:///{tmp_path}/trove.sqlite"
    file = tmp_path / "trove.conf"
    file.write_text(f"[database]\nconnection = {url}\nseal_keys = {keys}\n")
    return file, Database(url), keys


def check(file, capsys):
    code = status.main(["--config-file", str(file), "upgrade", "check"])
    said = capsys.readouterr().out
    results = [line.split()[2] for line in said.split("\n") if "Result:" in line]
    return code, results, said


def test_an_empty_database_must_be_migrated_first(deployment, capsys):
    file, _, _ = deployment
    code, results, said = check(file, capsys)
    assert code == 2, said
    assert results[0] == "Failure"
    assert "trove-manage" in said


def test_what_is_well_is_said_so(deployment, capsys):
    file, database, _ = deployment
    migrate.upgrade(database)
    _, results, _ = check(file, capsys)
    assert (results[0], results[1], results[3]) == ("Success",) * 3


def test_keys_that_others_can_read_are_a_warning(deployment, capsys):
    file, _, keys = deployment
    keys.chmod(0o644)
    _, results, _ = check(file, capsys)
    assert results[1] == "Warning"
    keys.write_text("")
    _, results, _ = check(file, capsys)
    assert results[1] == "Failure"


def test_commands_that_are_not_signed_are_a_warning(deployment, tmp_path, capsys):
    file, _, _ = deployment
    assert check(file, capsys)[1][4] == "Warning"
    key = tmp_path / "signing-key"
    with file.open("a") as text:
        text.write(f"[taskmanager]\nsigning_key = {key}\n")
    assert check(file, capsys)[1][4] == "Failure"
    key.write_text(signing.new_key() + "\n")
    assert check(file, capsys)[1][4] == "Success"


def test_a_broker_that_is_not_configured_is_a_failure(deployment, capsys):
    file, _, _ = deployment
    _, results, said = check(file, capsys)
    assert results[2] == "Failure"
    assert "broker_url" in said
