# SPDX-License-Identifier: Apache-2.0
"""A guest's logs: shown, switched, and brought to a real store by signed URLs."""

import json
import os

import pytest

from tests.objectstore import serving
from trove import errors
from trove.datastores.protocol import Source
from trove.guestagent import files, logs
from trove.guestagent import host as hosts
from trove.guestagent.accounts import Tickets, unsealer
from trove.guestagent.logs import Logs
from trove.rpc import sealing
from trove.rpc.messages import LogShown, Sealed
from trove.storage.swift import Swift

BASE = "i-1/toy-general"


class Engine:
    def __init__(self, home):
        self.path = home / "general.log"
        self.switched, self.reopened = [], []
        self.prepared = True

    def logs(self):
        return {"general": Source(path=str(self.path)), "error": Source(unit="u")}

    def set_log(self, name, on):
        self.switched.append((name, on))

    def reopen_log(self, name):
        self.reopened.append(name)

    def write(self, text):
        with self.path.open("a") as file:
            file.write(text)


class Scene:
    def __init__(self, tmp_path, places, host, store):
        self.engine, self.store, self.now = Engine(tmp_path), store, 1e9
        self.private, public = sealing.keypair()
        self.public = public
        self.logs = Logs(
            places,
            host,
            self._engine,
            Tickets(),
            unsealer(lambda: self.private),
            clock=self._tick,
        )
        self.swift = Swift(store.endpoint("p"), "p/member")
        self.journal = ""

    def _engine(self):
        if not self.engine.prepared:
            raise errors.Conflict("the guest has not been prepared yet")
        return self.engine

    def _tick(self):
        self.now += 1
        return self.now

    def change(self, method, *arguments):
        ticket = self.logs._tickets.give()
        return getattr(self.logs, method)(ticket, *arguments)

    def target(self, switch=True, **other):
        key = self.swift.ensure("database_logs")
        url, query = self.swift.signed("database_logs", BASE, key, 60)
        said = {"url": f"{url}/", "query": query, "metafile": f"{url}_metafile"}
        return Sealed(sealing.seal(self.public, {**said, "switch": switch, **other}))

    def publish(self, **about):
        self.change("publish", "general", self.target(**about))

    def shown(self, name="general"):
        return {one.name: one for one in self.logs.shown()}[name]

    def published(self):
        names = [name for name in self.store.names("p") if "/log-" in name]
        return [self.store.text("p", name) for name in names]


@pytest.fixture
def scene(tmp_path, places, host, monkeypatch):
    with serving(tmp_path / "store") as store:
        yield Scene(tmp_path, places, host, store)


def test_a_log_from_its_beginning_to_its_publishing(scene):
    assert scene.shown() == LogShown("general", "Disabled", 0, 0)
    scene.change("switch", "general", True)
    assert scene.engine.switched == [("general", True)]
    assert scene.shown().status == "Enabled"
    scene.engine.write("one\ntwo\n")
    assert scene.shown() == LogShown("general", "Ready", 0, 8)
    scene.publish()
    assert scene.shown() == LogShown("general", "Published", 8, 0)
    scene.engine.write("three\nfo")
    assert scene.shown() == LogShown("general", "Partial", 8, 8)
    scene.publish()
    assert scene.published() == ["one\ntwo\n", "three\n"]
    names = scene.store.names("p")
    assert names[-1] == f"{BASE}_metafile"
    assert scene.store.lines("p", names[0]) == "2"
    assert json.loads(scene.store.text("p", names[-1]))["published"] == 14
    scene.change("switch", "general", False)
    assert scene.engine.switched[-1] == ("general", False)


def test_to_publish_switches_a_users_log_on_and_no_other(scene):
    scene.publish(switch=False)
    assert scene.engine.switched == []
    scene.publish()
    scene.publish()
    assert scene.engine.switched == [("general", True)]


def test_what_was_forgotten_is_published_anew(scene):
    scene.engine.write("one\n")
    scene.publish()
    scene.change("forget", "general")
    assert scene.shown().status == "Ready"
    scene.publish()
    assert scene.published() == ["one\n", "one\n"]


def test_a_file_that_became_too_large_is_moved_away_and_nothing_is_lost(
    scene, monkeypatch
):
    monkeypatch.setattr(logs, "LARGEST", 10)
    scene.engine.write("one\n")
    scene.publish()
    scene.engine.write("two\nthree\n")
    scene.logs.turn()
    assert scene.engine.reopened == ["general"]
    scene.engine.write("four\n")
    assert scene.shown() == LogShown("general", "Rotated", 0, 5)
    scene.publish()
    assert scene.published() == ["one\n", "two\nthree\n", "four\n"]
    assert scene.shown().status == "Published"


def test_a_file_that_was_moved_away_twice_is_no_newer_one(scene, monkeypatch):
    monkeypatch.setattr(logs, "LARGEST", 3)
    scene.engine.write("one\n")
    scene.publish()
    for text in ("two\n", "three\n"):
        scene.logs.turn()
        scene.engine.write(text)
    assert scene.shown() == LogShown("general", "Ready", 0, 6)
    scene.publish()
    assert scene.published()[-1] == "three\n"


def test_pieces_end_with_lines_and_longer_lines_are_cut(scene, monkeypatch):
    monkeypatch.setattr(logs, "PIECE", 6)
    scene.engine.write("ab\ncd\nefghijkl\nm\n")
    scene.publish()
    assert scene.published() == ["ab\ncd\n", "efghij", "kl\nm\n"]


def test_what_takes_too_long_stays_for_another_time(scene, monkeypatch):
    monkeypatch.setattr(logs, "PIECE", 6)
    monkeypatch.setattr(logs, "WITHIN", -1.0)
    scene.engine.write("one\ntwo\n")
    scene.publish()
    assert scene.shown() == LogShown("general", "Ready", 0, 8)


def test_a_store_that_refuses_is_told_and_nothing_counts_as_published(scene):
    scene.engine.write("one\n")
    target = scene.target()
    scene.store.refusing = True
    with pytest.raises(errors.Upstream, match="503"):
        scene.change("publish", "general", target)
    assert scene.shown().published == 0
    scene.store.refusing = False
    scene.publish()
    assert scene.published() == ["one\n"]


@pytest.mark.parametrize(
    "url", ["file:///etc/shadow", "http://", "gopher://x/", "http://127.0.0.1:1/a"]
)
def test_an_address_that_is_no_store(scene, url):
    scene.engine.write("one\n")
    with pytest.raises((errors.Invalid, errors.Upstream)):
        scene.publish(url=url)


def test_an_engine_that_was_taken_over_shows_nobody_elses_file(scene, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    os.symlink(secret, scene.engine.path)
    with pytest.raises(OSError, match="symbolic"):
        scene.publish()
    assert scene.published() == []


def test_a_log_in_a_journal_is_copied_once(scene, places):
    files.directory(places.logs)
    (places.logs / "error.log").write_text("broken\n")
    assert scene.shown("error").pending >= len("broken\n")
    assert scene.shown("error").status == "Ready"


def test_what_is_no_log(scene):
    for method, arguments in (("switch", (True,)), ("forget", ())):
        with pytest.raises(errors.NotFound):
            scene.change(method, "nonsense", *arguments)
    with pytest.raises(errors.NotFound):
        scene.change("publish", "nonsense", scene.target())
    with pytest.raises(errors.Invalid):
        empty = Sealed(sealing.seal(scene.public, {}))
        scene.change("publish", "general", empty)


def test_a_change_needs_a_ticket(scene):
    with pytest.raises(errors.Forbidden):
        scene.logs.switch("never-given", "general", True)
    assert scene.engine.switched == []


def test_a_guest_that_is_not_prepared_has_no_logs_yet(scene):
    scene.engine.prepared = False
    with pytest.raises(errors.Conflict):
        scene.logs.shown()
    scene.logs.turn()


def test_the_part_begins_and_ends(scene):
    scene.logs.start()
    assert scene.logs.alive()
    assert scene.logs.stop(1.0)
    assert not scene.logs.alive()


class Journal:
    """``journalctl`` in its place: writes ``says``, and where it has come to."""

    def __init__(self, monkeypatch, home):
        self.says, self.home = "", home
        self.words = home / "words"
        program = home / "bin" / "journalctl"
        program.parent.mkdir()
        program.write_text(
            "#!/bin/sh\n"
            f'echo "$@" > {self.words}\n'
            f"cat {home}/says\n"
            'for word; do case "$word" in --cursor-file=*) '
            'echo here > "${word#--cursor-file=}";; esac; done\n'
        )
        program.chmod(0o755)
        path = f"{program.parent}:/usr/bin:/bin"
        monkeypatch.setitem(hosts.ENVIRONMENT, "PATH", path)
        self.say("")

    def say(self, text):
        (self.home / "says").write_text(text)


@pytest.fixture
def journal(monkeypatch, tmp_path):
    home = tmp_path / "journal"
    home.mkdir()
    return Journal(monkeypatch, home)


def test_what_is_new_in_a_journal_is_added_to_its_copy(scene, journal, places):
    journal.say("one\n")
    assert scene.shown("error") == LogShown("error", "Ready", 0, 4)
    assert "--unit=u" in journal.words.read_text()
    journal.say("two\n")
    scene.change("publish", "error", scene.target(switch=False))
    assert scene.published() == ["one\ntwo\n"]
    assert (places.logs / "error.cursor").read_text() == "here\n"
    assert (places.logs / "error.log").stat().st_mode & 0o777 == 0o600


def test_a_copy_that_is_large_begins_anew(scene, journal, places, monkeypatch):
    monkeypatch.setattr(logs, "COPIED", 3)
    journal.say("one\n")
    scene.change("publish", "error", scene.target(switch=False))
    journal.say("two\n")
    assert scene.shown("error") == LogShown("error", "Ready", 0, 4)
    assert (places.logs / "error.log").read_text() == "two\n"


def test_a_journal_that_says_too_much_fills_no_disk(
    scene, journal, places, monkeypatch
):
    monkeypatch.setattr(logs, "LONGEST", 4096)
    journal.say("x" * 100 + "\n" + "y\n" * 10_000)
    assert scene.shown("error").pending == 4096
    assert not (places.logs / "error.cursor").exists()
