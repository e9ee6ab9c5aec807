# SPDX-License-Identifier: Apache-2.0
"""What is no increment of a backup is told before anything is said or played."""

import contextlib
import dataclasses
import json

import pytest

from tests.unit.datastores.classic.test_binlog import first, summed
from trove import errors
from trove.datastores.archives import Lost
from trove.datastores.classic import archive, binlog, wanting
from trove.datastores.mysql.agent import increments
from trove.datastores.mysql.agent.places import places
from trove.datastores.saving import Mark, NoIncrement

UUID = "33e60b26-ebf7-11f1-a41e-02fc00000001"
NAME = f"{UUID}:1-7"


class Server:
    """What it answers; ``files`` are those of its log, by their numbers."""

    def __init__(self, folder):
        self.folder, self.files = folder, []
        self.uuid, self.contained = UUID, 1
        folder.mkdir()
        self.begin(1)
        self.begin(2)

    def begin(self, number, time=1):
        (self.folder / f"binlog.{number:06}").write_bytes(
            binlog.MAGIC + first(time=time) + summed(35, time, b"%d" % number)
        )
        self.files.append(number)

    @contextlib.contextmanager
    def talk(self):
        yield self

    def rows(self, statement, within):
        match statement:
            case archive.CUT:
                self.begin(self.files[-1] + 1)
                return []
            case archive.LIST:
                return [(f"binlog.{n:06}", 10**3, "No") for n in self.files]
            case increments.ABOUT:
                return [("9.7.4", self.uuid)]
        if statement.startswith("SHOW BINLOG EVENTS"):
            return [("", 4, "Previous_gtids", 1, 9, f"{UUID}:1-5,\n{UUID}:9")]
        assert "GTID_SUBSET" in statement
        return [(self.contained,)]


class Player:
    user = "mysql"


@pytest.fixture
def server(tmp_path):
    return Server(tmp_path / "binlog")


@pytest.fixture
def logged(host, server, tmp_path):
    here = dataclasses.replace(places(host), volume=str(tmp_path))
    return archive.Server(host, here, Player, None, server.talk, None)


@pytest.fixture
def since(logged):
    known = binlog.identity(f"{logged.places.binlogs}/binlog.000002")
    words = {"binlog": "binlog.000002:60", "server": UUID, "log": known}
    return Mark({**words, "gtid_executed": NAME, "place": "2"}, 0)


def test_it_is_whole_files_and_a_note(host, logged, server, since):
    files, until = increments.begin(logged, since)
    assert [file.place for file in files] == [2]
    assert until["binlog"] == "binlog.000003:4"
    assert until["gtid_executed"] == f"{UUID}:1-5,{UUID}:9"
    assert until["since"] == since.words["binlog"]
    (stage,) = increments.stages(logged, "/work", since, files, until)
    assert stage.user == "mysql" and stage.argv[-1] == "binlog.000002"
    said = json.loads(host.files[f"/work/{increments.NOTE}"])
    assert said == {"since": since.words, "until": until}
    assert wanting.wanted(host, logged.places) == 2
    server.files.remove(1)  # what was before is nobody's
    assert len(increments.begin(logged, Mark(until, 0))[0]) == 1


def gone(server):
    server.files.remove(2)


def a_hole(server):
    server.begin(5)


def another_server(server):
    server.uuid = UUID.replace("3", "4")


def another_history(server):
    server.contained = 0


def begun_anew(server):
    server.files.remove(2)
    server.begin(2, time=2)


def shorter(server):
    server.files = [1]


def spoilt(server):
    path = server.folder / "binlog.000002"
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def unreadable(server):
    (server.folder / "binlog.000002").unlink()


@pytest.mark.parametrize(
    "how",
    [
        *(gone, a_hole, another_server, another_history, begun_anew, shorter),
        *(spoilt, unreadable),
    ],
)
def test_what_does_not_go_on_is_no_increment(logged, server, since, how):
    how(server)
    with pytest.raises(NoIncrement, match="must be full"):
        increments.begin(logged, since)


@pytest.mark.parametrize("word", ["binlog", "server", "log"])
def test_a_parent_that_does_not_say_where_is_none(logged, since, word):
    words = dict(since.words)
    del words[word]
    with pytest.raises(NoIncrement, match="where its log goes on"):
        increments.begin(logged, Mark(words, 0))


@pytest.fixture
def taken(host, logged, server, since, tmp_path):
    """The first link of a chain."""
    work = tmp_path / "work"
    (work / "1").mkdir(parents=True)
    _, until = increments.begin(logged, since)
    (work / "1/binlog.000002").write_bytes(
        (server.folder / "binlog.000002").read_bytes()
    )
    (work / "1" / increments.NOTE).touch()
    note = f"{work}/1/{increments.NOTE}"
    host.files[note] = json.dumps({"since": since.words, "until": until})
    return work


@pytest.mark.parametrize("note", ["", "7", "{}", '{"since": {}, "until": {}}', "[]"])
def test_an_increment_that_says_nothing_is_none(host, logged, taken, note):
    host.files[f"{taken}/1/{increments.NOTE}"] = note
    with pytest.raises(errors.EngineFailed, match="says nothing of itself"):
        increments.play(logged, str(taken), 1)


@pytest.mark.parametrize("name", ["binlog.000001", "binlog.000003", "more"])
def test_files_that_are_not_said_are_no_increment(logged, taken, name):
    (taken / "1" / name).touch()
    with pytest.raises(Lost, match="has not the files"):
        increments.play(logged, str(taken), 1)


def test_a_link_in_the_place_of_a_file_is_none(logged, taken):
    (taken / "1/binlog.000002").unlink()
    (taken / "1/binlog.000002").symlink_to("/etc/passwd")
    with pytest.raises(Lost, match="has not the files"):
        increments.play(logged, str(taken), 1)


def test_another_file_of_that_name_is_no_increment(logged, taken):
    path = taken / "1/binlog.000002"
    path.write_bytes(binlog.MAGIC + first(time=9) + summed(35, 9, b"2"))
    with pytest.raises(Lost, match="begins with another file"):
        increments.play(logged, str(taken), 1)


def test_a_link_that_stands_on_another_is_none(host, logged, taken, since):
    (taken / "1").rename(taken / "2")
    note = f"{taken}/1/{increments.NOTE}"
    host.files[f"{taken}/2/{increments.NOTE}"] = host.files[note]
    other = {**since.words, "binlog": "binlog.000002:61"}
    host.files[note] = json.dumps({"since": other, "until": other})
    with pytest.raises(Lost, match="link 2 does not begin where"):
        increments.play(logged, str(taken), 2)
