# SPDX-License-Identifier: Apache-2.0
"""trove-manage archives lag: whose log is how far behind, which is broken or waits."""

import json
import time

import pytest
from cryptography import fernet

from trove.actions import archives as actions
from trove.cmd import manage
from trove.db.queries import archives, schedules
from trove.db.session import Database
from trove.db.tables import DatastoreVersion, Guest, Instance

STORE = {"driver": "directory", "container": "c", "ring": "1", "key": "k"}
POLICY = {"enabled": True, "point_in_time": True, "minute": 5, "full_every": 1}
POLICY |= {"increment_every": None, "keep_days": 7, "next_due": 9e9}


class Shell:
    """The command line, and the database behind it."""

    def __init__(self, path, capsys):
        keys, self.conf = path / "seal-keys", path / "trove.conf"
        keys.write_bytes(fernet.Fernet.generate_key() + b"\n")
        url = f"sqlite:///{path}/trove.sqlite"
        self.conf.write_text(f"[database]\nconnection = {url}\nseal_keys = {keys}\n")
        self._said = capsys
        assert self("db", "sync")[0] == 0
        self.database = Database(url)

    def __call__(self, *words):
        code = manage.main(["--config-file", str(self.conf), *words])
        return code, self._said.readouterr().out

    def lags(self, *words):
        code, out = self("archives", "lag", "--json", *words)
        rows = json.loads(out)
        return code, {row["instance"]: row for row in rows}, rows

    def version(self, manager):
        with self.database.transaction() as tx:
            tx.add(
                DatastoreVersion(
                    **{"id": manager, "datastore_id": manager, "manager": manager},
                    **{"name": "1", "number": "1", "created": 1.0, "updated": 1.0},
                )
            )

    def instance(self, id, *, project="demo", wants=True, key="k", **columns):
        about = {"project": project, "name": id, "task": "NONE", "flavor_id": "1"}
        about |= {"was_active": True, "server_number": 1, "created": 1.0}
        about |= {"version_id": "mariadb", "updated": 1.0, **columns}
        with self.database.transaction() as tx:
            row = Instance(id=id, **about)
            tx.add(row)
            tx.add(Guest(instance_id=id, public_key=key))
            said = POLICY | {"point_in_time": wants}
            schedules.put(tx, id, project=project, **said)
        return row

    def archive(self, id, *, ended=None, gap=False, **columns):
        with self.database.transaction() as tx:
            made = archives.begin(tx, tx.get_one(Instance, id), **STORE)
            archives.changes(tx, made, **{"created": time.time(), **columns})
            if ended is not None:
                assert archives.close(tx, made, ended, gap=gap)


@pytest.fixture
def shell(tmp_path, capsys):
    made = Shell(tmp_path, capsys)
    made.version("mariadb")
    made.version("valkey")
    yield made
    made.database.close()


def heard(**said):
    return {"report": {"waiting": 7, "broken": None, **said}, "reported_at": 5.0}


def test_whose_log_is_how_far_behind(shell):
    moment = time.time()
    for id in ("well", "late", "dead", "new"):
        shell.instance(id)
    shell.archive("well", latest=moment - 20, **heard())
    shell.archive("late", latest=moment - 900, **heard(waiting=1 << 30))
    shell.archive("dead", latest=moment - 300, ended="A hole.", gap=True)
    code, rows, listed = shell.lags()
    assert code == 0
    assert [row["instance"] for row in listed] == ["late", "dead", "well", "new"]
    assert {id: row["state"] for id, row in rows.items()} == {
        "well": "followed",
        "late": "followed",
        "dead": "broken",
        "new": "waiting",
    }
    assert 20 <= rows["well"]["lag"] < 60 and 900 <= rows["late"]["lag"] < 960
    assert rows["late"]["waiting"] == 1 << 30
    assert rows["late"]["latest"].endswith("Z")
    assert rows["dead"]["fault"] == "A hole." and 300 <= rows["dead"]["lag"] < 360
    assert rows["new"]["latest"] is None and rows["new"]["lag"] < 60


def test_it_fails_above_so_many_seconds(shell):
    moment = time.time()
    shell.instance("a")
    shell.archive("a", latest=moment - 300)
    assert shell.lags("--fail-above", "3000")[0] == 0
    assert shell.lags("--fail-above", "120")[0] == 3
    assert shell.lags("--fail-above", "120", "--project", "other")[0] == 0
    shell.instance("b", server_number=2)
    shell.archive("b", latest=moment, ended="A hole.", gap=True)
    assert shell.lags("--fail-above", "3000")[0] == 3, "one is broken"
    for word in ("-1", "soon", "nan", "inf"):
        with pytest.raises(SystemExit) as misused:
            shell("archives", "lag", f"--fail-above={word}")
        assert misused.value.code == 2


def test_what_a_guest_gave_up_is_broken_before_anybody_closes_it(shell):
    shell.instance("a")
    shell.archive("a", **heard(broken="the disk is full\x1b[2J"))
    code, rows, _ = shell.lags("--fail-above", "9999")
    assert code == 3 and rows["a"]["state"] == "broken"
    assert "the disk is full" in rows["a"]["fault"]
    _, out = shell("archives", "lag")
    assert "the disk is full?[2J" in out, "a guest's words steer no terminal"


def test_why_one_waits(shell):
    shell.instance("busy", task="RESTARTING")
    shell.instance("mute", key=None)
    shell.instance("over")
    shell.archive("over", ended="The instance is of another version now.")
    _, rows, _ = shell.lags()
    assert {row["state"] for row in rows.values()} == {"waiting"}
    assert "RESTARTING" in rows["busy"]["fault"]
    assert "enrolled" in rows["mute"]["fault"]
    assert rows["over"]["fault"] == "The instance is of another version now."


def test_what_the_store_lacks_and_who_is_silent(shell):
    shell.instance("lacks")
    shell.archive("lacks", missed_at=5.0, **heard())
    shell.instance("silent")
    shell.archive("silent", created=5.0)
    _, rows, _ = shell.lags()
    assert {row["state"] for row in rows.values()} == {"followed"}
    assert "store lacks" in rows["lacks"]["fault"]
    assert "older release" in rows["silent"]["fault"]


def test_who_has_no_log(shell):
    shell.instance("off", wants=False)
    shell.instance("gone", deleted_at=5.0)
    shell.instance("cannot", version_id="valkey")
    assert shell.lags("--fail-above", "0")[2] == []
    assert shell("archives", "lag")[1].split() == [
        *("instance", "project", "state", "lag", "latest", "waiting"),
        *("reported", "at", "again", "fault"),
    ]


def test_of_more_than_are_looked_at_at_once(shell, monkeypatch):
    monkeypatch.setattr(actions, "EACH", 2)
    for id in "abcde":
        shell.instance(id)
    assert sorted(shell.lags()[1]) == list("abcde")
