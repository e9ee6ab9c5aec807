# SPDX-License-Identifier: Apache-2.0
"""trove-status tells an operator what must be done before an upgrade."""

import http.server
import importlib.metadata
import sys
import threading

import pytest
from cryptography import fernet
from oslo_config import cfg

from tests.api.keystone import Keystone
from trove.cmd import status
from trove.db import migrate
from trove.db.session import Database
from trove.db.tables import Backup, GuestReport, Instance
from trove.rpc import signing
from trove.storage.keys import Keyring

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


def told(said, number):
    """The words of the check of that number, in one line."""
    rows = said.split("Check: ")[number + 1]
    return " ".join(rows.replace("|", " ").split())


def test_options_that_nobody_reads_are_named(deployment, capsys):
    file, _, _ = deployment
    assert check(file, capsys)[1][7] == "Success"
    with file.open("a") as text:
        text.write("[taskmanager]\nleese = 3\n[oslo_concurrency]\nanything = 1\n")
        text.write("[keystone_authtoken]\nwhatever = 1\n[rpc]\ncontrol_url = x\n")
    _, results, said = check(file, capsys)
    assert results[7] == "Warning"
    assert "[taskmanager] leese" in told(said, 7)
    assert "control" not in told(said, 7) and "anything" not in told(said, 7)
    with file.open("a") as text:
        text.write("no section and no value\n")
    with pytest.raises(cfg.ConfigFileParseError):
        check(file, capsys)


def test_a_policy_file_is_looked_through(deployment, tmp_path, capsys):
    file, _, _ = deployment
    assert check(file, capsys)[1][6] == "Success", "there is none"
    path = tmp_path / "policy.yaml"
    with file.open("a") as text:
        text.write(f"[oslo_policy]\npolicy_file = {path}\n")
    path.write_text('"ours": "role:x"\n"instance:create": "rule:ours"\n')
    assert check(file, capsys)[1][6] == "Success"
    path.write_text('"instance:craete": "role:x"\n')
    _, results, said = check(file, capsys)
    assert results[6] == "Warning" and "instance:craete" in told(said, 6)
    path.write_text("{")
    assert check(file, capsys)[1][6] == "Failure"
    json = tmp_path / "policy.json"
    json.write_text("{}")
    with file.open("a") as text:
        text.write(f"policy_file = {json}\n")
    _, results, said = check(file, capsys)
    assert results[6] == "Failure" and "oslopolicy-convert" in said


def test_guests_of_other_releases_and_rows_that_are_not_whole(deployment, capsys):
    file, database, _ = deployment
    assert check(file, capsys)[1][8:10] == ["Failure"] * 2, "there is no table"
    migrate.upgrade(database)
    about = {"project": "p", "name": "n", "task": "NONE", "version_id": "v"}
    about |= {"flavor_id": "1", "created": 0, "updated": 0}
    own = importlib.metadata.version("trove-dbaas")
    for number, agent, gone in ((1, own, None), (2, "0.0.1", 1.0)):
        id = str(number)
        of = {"id": id, "server_number": number, "vcpus": 1, "deleted_at": gone}
        report = {"boot": 1, "seq": 1, "service": "healthy", "agent": agent}
        report |= {"received_at": 0, "changed_at": 0}
        with database.transaction() as tx:
            tx.add(Instance(**of, **about))
            tx.add(GuestReport(instance_id=id, **report))
    assert check(file, capsys)[1][8:10] == ["Success"] * 2
    with database.transaction() as tx:
        tx.get_one(GuestReport, "1").agent = "0.0.1"
        tx.get_one(Instance, "1").vcpus = None
    code, results, said = check(file, capsys)
    assert results[8:10] == ["Warning"] * 2
    assert "1 of 0.0.1" in told(said, 8) and "1 of vcpus" in told(said, 9)


class Management(http.server.BaseHTTPRequestHandler):
    """A broker's management API that has this user, and nothing else."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        there = self.path.endswith(("/users/trove", "/whoami"))
        body = b"{}" if there else b'{"error": "Object Not Found"}'
        self.send_response(200 if there else 404)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)


def test_what_the_vhost_lacks_is_said(deployment, capsys):
    file, _, _ = deployment
    assert check(file, capsys)[1][5] == "Failure"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Management)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    with file.open("a") as text:
        text.write("[rpc]\nguests_url = trove-rabbit://trove:p@h:1//trove-guests\n")
        text.write(f"broker_url = http://127.0.0.1:{server.server_port}\n")
        text.write("broker_password = p\n")
    try:
        _, results, said = check(file, capsys)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert (results[2], results[5]) == ("Success", "Failure")
    assert "broker prepare" in told(said, 5)


def test_keys_of_backups_that_cannot_be_had_are_a_failure(
    deployment, tmp_path, capsys, monkeypatch
):
    file, database, _ = deployment
    assert check(file, capsys)[1][10] == "Success", "nothing is backed up"
    ring = tmp_path / "backup-keys"
    with file.open("a") as text:
        text.write(f"[backup]\ndriver = directory\nkeyring = {ring}\n")
    Keyring.create(ring)
    assert "database cannot be asked" in told(check(file, capsys)[2], 10)
    migrate.upgrade(database)
    assert check(file, capsys)[1][10] == "Success"
    ring.unlink()
    _, results, said = check(file, capsys)
    assert results[10] == "Failure" and "FileNotFoundError" in told(said, 10)
    with Keystone() as url:
        with file.open("a") as text:
            text.write(f"key_manager = barbican\n[cloud]\nauth_url = {url}\n")
            text.write("password = x\n")
        _, results, said = check(file, capsys)
        assert results[10] == "Failure"
        assert "the catalogue has no key-manager" in told(said, 10)
    assert check(file, capsys)[1][10] == "Failure", "Keystone is away"
    monkeypatch.setitem(sys.modules, "castellan", None)
    _, results, said = check(file, capsys)
    assert results[10] == "Failure" and "not installed" in told(said, 10)


def backed_up(database, id, ring, gone=None):
    about = {"project": "p", "name": "n", "instance_id": "i", "version_id": "v"}
    about |= {"state": "COMPLETED", "driver": "directory", "container": "c"}
    with database.transaction() as tx:
        tx.add(Backup(id=id, ring=ring, deleted_at=gone, created=0, updated=0, **about))


MANAGED = "0a1b2c3d-0000-4000-8000-000000000001"


def test_a_keyring_must_have_what_backups_name(deployment, tmp_path, capsys):
    file, database, _ = deployment
    migrate.upgrade(database)
    ring = tmp_path / "backup-keys"
    Keyring.create(ring)
    with file.open("a") as text:
        text.write(f"[backup]\ndriver = directory\nkeyring = {ring}\n")
    backed_up(database, "1", "1")
    backed_up(database, "2", "gone with its backup", gone=1.0)
    backed_up(database, "3", None)
    assert check(file, capsys)[1][10] == "Success"
    backed_up(database, "4", MANAGED)
    _, results, said = check(file, capsys)
    assert results[10] == "Failure" and f"no key {MANAGED}" in told(said, 10)


def test_beside_a_key_manager_the_keyring_must_have_what_is_its_own(
    deployment, tmp_path, capsys
):
    file, database, _ = deployment
    migrate.upgrade(database)
    ring = tmp_path / "backup-keys"
    backed_up(database, "1", MANAGED)
    with Keystone({"key-manager": "http://127.0.0.1:1"}) as url, file.open("a") as text:
        text.write("[backup]\ndriver = directory\nkey_manager = barbican\n")
        text.write(f"keyring = {ring}\n[cloud]\nauth_url = {url}\npassword = x\n")
        text.flush()
        assert check(file, capsys)[1][10] == "Success"
        backed_up(database, "2", "1")
        _, results, said = check(file, capsys)
        assert results[10] == "Failure" and "no keyring" in told(said, 10)
        Keyring.create(ring)
        assert check(file, capsys)[1][10] == "Success"
