# SPDX-License-Identifier: Apache-2.0
"""trove-status tells an operator what must be done before an upgrade."""

import http.server
import importlib.metadata
import threading

import pytest
from cryptography import fernet
from oslo_config import cfg

from trove.cmd import status
from trove.db import migrate
from trove.db.session import Database
from trove.db.tables import GuestReport, Instance
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
    assert check(file, capsys)[1][8:] == ["Failure"] * 2, "there is no table"
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
    assert check(file, capsys)[1][8:] == ["Success"] * 2
    with database.transaction() as tx:
        tx.get_one(GuestReport, "1").agent = "0.0.1"
        tx.get_one(Instance, "1").vcpus = None
    code, results, said = check(file, capsys)
    assert results[8:] == ["Warning"] * 2
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
