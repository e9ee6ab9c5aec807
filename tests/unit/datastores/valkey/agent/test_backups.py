# SPDX-License-Identifier: Apache-2.0
"""A snapshot counts when the server wrote it after it was asked for."""

import contextlib

import pytest

from trove import errors
from trove.datastores.protocol import Ran
from trove.datastores.saving import Mark
from trove.datastores.valkey.agent import backups
from trove.datastores.valkey.agent.places import places

LIST = "user zoë on #00 ~*\n"
TAKEN, DATA = "/work/0", "/srv/valkey/data"


@pytest.fixture
def tool(host, talk, monkeypatch):
    monkeypatch.setattr(backups, "PAUSE", 0)
    host.files[f"{DATA}/users.acl"] = LIST
    return backups.Tool(host, places(host), lambda: contextlib.nullcontext(talk))


def info(saving="0", status="ok"):
    return f"rdb_bgsave_in_progress:{saving}\r\nrdb_last_bgsave_status:{status}\r\n"


def test_what_is_said_is_a_new_snapshot_and_the_list(host, talk, tool, refusal):
    saves = iter(
        (
            refusal("ERR Background save already in progress"),
            refusal("ERR Another child process is active (AOF?): can't BGSAVE"),
            "Background saving started",
        )
    )
    looks = iter((info("1"), info("1"), info()))
    talk.answers = {
        "BGSAVE": lambda words: next(saves),
        "INFO": lambda words: next(looks),
    }
    (stage,) = tool.stages("/work")
    assert stage.argv[-2:] == (f"{DATA}/dump.rdb", "/work/users.acl")
    assert stage.user == "valkey"
    assert host.files["/work/users.acl"] == f"{LIST}{len(LIST.encode()):012d}"
    assert list(saves) == list(looks) == []


@pytest.mark.parametrize(
    "save, look, patience, why",
    [
        ("started", info(status="err"), 60, "could not write"),
        ("started", info("1"), 0, "in time"),
        ("ERR Background save already in progress", info(), 0, "in time"),
    ],
)
def test_without_a_snapshot_there_is_nothing_to_say(
    talk, tool, refusal, monkeypatch, save, look, patience, why
):
    monkeypatch.setattr(backups, "SAVE", patience)
    talk.answers = {
        "BGSAVE": refusal(save) if save.startswith("ERR") else save,
        "INFO": look,
    }
    with pytest.raises(errors.EngineFailed, match=why):
        tool.stages("/work")


def test_another_no_is_not_waited_out(talk, tool, refusal):
    talk.answers["BGSAVE"] = refusal("NOPERM")
    with pytest.raises(refusal):
        tool.stages("/work")


def test_there_are_no_increments(tool):
    with pytest.raises(errors.NotSupported):
        tool.stages("/work", Mark({}, 0))


@pytest.mark.parametrize("end", ["", "no digits 12", "१२३४५६७८९०१२"])
def test_what_was_cut_off_is_no_data(host, tool, end):
    host.files[TAKEN] = "snapshot"
    host.answers["tail"] = Ran(0, end, "")
    with pytest.raises(errors.EngineFailed, match="no end"):
        tool.together("/work", 1)
    assert not [deed for deed in host.deeds if deed.startswith("truncate")]


def test_a_sick_snapshot_is_no_data(host, tool):
    host.files[TAKEN] = "snapshot"
    host.answers["tail"] = Ran(0, f"{1:012d}", "")
    said = "key 1\n--- RDB ERROR DETECTED ---\n[offset 9] RDB CRC error\n"
    host.answers["valkey-check-rdb"] = Ran(1, said, "")
    with pytest.raises(errors.EngineFailed, match="RDB CRC error"):
        tool.together("/work", 1)
    assert host.exists(TAKEN) and not host.exists(DATA)


APPENDED = f"{DATA}/{backups.APPENDED}"
BASE = f"{APPENDED}/appendonly.aof.2.base.rdb"
SAYS = "file appendonly.aof.2.base.rdb seq 2 type b\nfile x.incr.aof seq 1 type i\n"


@pytest.fixture
def served(host, talk):
    talk.answers = {"BGSAVE": "Background saving started", "INFO": info()}
    host.files[f"{APPENDED}/appendonly.aof.manifest"] = SAYS


def test_the_file_it_began_with_and_a_new_one_are_read(host, tool, served, monkeypatch):
    told = []
    plain = host.run
    monkeypatch.setattr(
        host, "run", lambda argv, **how: told.append(argv) or plain(argv)
    )
    tool.check()
    assert told == [["valkey-check-rdb", path] for path in (BASE, f"{DATA}/dump.rdb")]


def test_what_is_sick_is_told(host, tool, served):
    host.answers["valkey-check-rdb"] = Ran(1, "", "RDB CRC error")
    with pytest.raises(errors.EngineFailed, match="RDB CRC error"):
        tool.check()


def test_where_there_is_no_file_there_is_no_saying(host, tool):
    with pytest.raises(errors.EngineFailed, match="names no file"):
        tool.check()
