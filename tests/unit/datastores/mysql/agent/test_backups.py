# SPDX-License-Identifier: Apache-2.0
"""A copy is begun where there is room for it, and does not stay where it failed."""

import dataclasses
import hashlib

import pymysql
import pytest

from trove import errors
from trove.datastores.classic import archive, binlog, wanting
from trove.datastores.mysql.agent import backups, increments
from trove.datastores.mysql.agent.places import places
from trove.datastores.protocol import Ran
from trove.datastores.saving import Mark

COPY = "/work/copy"
UUID = "33e60b26-ebf7-11f1-a41e-02fc00000001"
NAME = "33e60b26-ebf7-11f1-a41e-02fc00000001:1-316"


class Server:
    """What is said to it; ``copying`` has the ids of statements that still copy."""

    def __init__(self):
        self.said = []
        self.copying = []
        self.executed = NAME
        self.left_out = []
        self.full = self.deaf = False

    def __call__(self, path, within):
        return self

    def rows(self, statement, within):
        self.said.append(statement)
        match statement:
            case backups.HOW_MANY:
                return [(len(self.copying),)]
            case backups.LEFT_OUT:
                return self.left_out
            case increments.POSITION:
                return [("binlog.000002", 157, "", "", self.executed)]
            case increments.ABOUT:
                return [("9.7.4-2", UUID)]
        if statement.startswith("KILL") and not self.deaf:
            self.copying.remove(int(statement.split()[1]))
        if statement.startswith("CLONE") and self.full:
            raise pymysql.err.OperationalError(1021, "Disk full")
        return [(each,) for each in self.copying] if "SELECT id" in statement else []

    def close(self):
        pass


@pytest.fixture
def server(monkeypatch):
    made = Server()
    monkeypatch.setattr(backups, "Talk", made)
    return made


@pytest.fixture
def tool(host, server, tmp_path):
    here = dataclasses.replace(places(host), volume=str(tmp_path))
    (tmp_path / "binlog").mkdir()
    (tmp_path / "binlog/binlog.000002").write_bytes(binlog.MAGIC)
    host.answers["du"] = Ran(0, f"{10 * 2**20}\t/srv/mysql/data\n", "")
    host.answers["df"] = Ran(0, f"   Avail\n{74 * 2**20}\n", "")
    return backups.Tool(archive.Server(host, here, None, None, None, None))


def test_the_copy_is_said_and_gone_when_it_was(host, server, tool):
    host.files[COPY] = "of an attempt that died"
    server.copying = [7]
    (stage,) = tool.stages("/work")
    assert f"--directory={COPY}" in stage.argv and stage.user == "mysql"
    assert "KILL 7" in server.said and not host.exists(COPY)
    assert server.said[-1] == f"CLONE LOCAL DATA DIRECTORY = '{COPY}'"
    host.files[COPY] = "of this one"
    words = {"version": "9.7.4", "binlog": "binlog.000002:157", "gtid_executed": NAME}
    words |= {"place": "2", "server": UUID, "log": hashlib.sha256().hexdigest()}
    mark = tool.mark("/work")
    at = mark.words.pop("at")
    assert mark == Mark(words, 10 * 2**20) and float(at) > 1.7e9
    assert not host.exists(COPY)
    assert wanting.wanted(host, tool._places) == 2  # its first increment begins there


def test_without_room_nothing_is_copied(host, server, tool):
    host.answers["df"] = Ran(0, f"   Avail\n{73 * 2**20}\n", "")
    with pytest.raises(errors.EngineFailed, match="74 MiB are needed, and 73 MiB"):
        tool.stages("/work")
    assert not [each for each in server.said if each.startswith("CLONE")]


def test_what_failed_does_not_stay(host, server, tool):
    server.full = True
    removed = []
    host.remove = removed.append
    with pytest.raises(errors.EngineFailed, match="Disk full"):
        tool.stages("/work")
    assert removed == [COPY, COPY]


def test_rows_that_would_be_left_out_are_no_backup(server, tool):
    server.left_out = [("shop", "older", "MyISAM")]
    with pytest.raises(errors.EngineFailed, match=r"`shop`.`older` .* MyISAM"):
        tool.stages("/work")


def test_a_history_of_many_servers_is_no_word(server, tool):
    server.executed = ",\n".join([NAME] * 30)
    tool.stages("/work")
    words = {"version", "binlog", "place", "at", "server", "log"}
    assert set(tool.mark("/work").words) == words


def test_a_copy_that_does_not_end_is_not_waited_for_longer(server, tool, monkeypatch):
    monkeypatch.setattr(backups, "ENDS", 0)
    monkeypatch.setattr(backups, "PAUSE", 0)
    server.copying, server.deaf = [7], True
    with pytest.raises(errors.EngineFailed, match="nobody wants"):
        tool.stages("/work")


def test_sick_pages_are_no_data(host, tool):
    host.files["/work/0"] = "taken"
    host.answers["find"] = Ran(1, "", "Fail: page:7 invalid")
    with pytest.raises(errors.EngineFailed, match="page:7"):
        tool.together("/work", 1)
    assert not host.exists(tool._places.data)
