# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/datastores/server.py: what every engine does, with one on paper."""

import dataclasses

import pytest

from trove import errors
from trove.datastores.layers import Grammar, Layers
from trove.datastores.places import Places
from trove.datastores.protocol import BASIC, ENFORCED, MTLS, Health, Ran, Tls
from trove.datastores.server import BEGIN, END, Server
from trove.datastores.unit import Unit

HERE = Places("/srv/x", "/etc/x", "/run/x", "/etc/systemd/system/x.service")


class Pulse:
    forgotten = 0

    def forget(self):
        self.forgotten += 1

    def take(self):
        return Health("healthy")


class Death(BaseException):
    """The process ends here."""


class Paper(Server):
    """An engine that complains when it is told to."""

    dies = False

    starttls = "paper"

    def __init__(self, host):
        self.complaint = ""
        self.deeds = []
        grammar = Grammar(".x", "use {path}\n", "on", "off", "'", doubled=True)
        layers = Layers(host, HERE.settings, "x.conf", grammar)
        unit = Unit(host, "x.service", HERE.unit, "ERROR")
        super().__init__(host, HERE, layers, unit, Pulse(), "nobody", 4711)

    def _settings(self, sizing, group, server_id):
        return {}, {}, {"id": server_id}, group, {}

    def _try_out(self, staged):
        return self.complaint

    def _settle(self):
        self.deeds.append("settled")

    def upgrade(self):
        self.deeds.append("upgraded")

    def describe(self):
        raise NotImplementedError

    def _answer(self):
        self.deeds.append("answered")

    def _take_certificate(self, mode):
        self.deeds.append(f"took the certificate in {mode}")
        if self.dies:
            raise Death

    def _write_mode(self, mode):
        self.deeds.append(f"wrote {mode}")

    def _hold(self, mode):
        self.deeds.append(f"held {mode}")

    def _take_group(self, group, lower):
        self.deeds.append(f"took {group} over {lower}")
        if group.get("evil"):
            raise errors.EngineFailed(why="evil")
        return tuple(name for name in group if name == "slow")

    def make(self, answer=""):
        with self._made_whole() as fresh:
            if fresh is not None:
                self._make(["maker", fresh], bad="ERROR")


@pytest.fixture
def paper(host):
    return Paper(host)


def test_what_is_refused_on_trial_is_not_written(host, paper):
    paper.complaint = "a bad value"
    with pytest.raises(errors.Invalid, match="a bad value"):
        paper.configure(host.sizing, host.tls, {"a": 1}, 7)
    assert "/etc/x/50-group.x" not in host.files
    assert paper.deeds == []
    paper.complaint = ""
    paper.configure(host.sizing, host.tls, {"a": 1}, 7)
    assert host.files["/etc/x/50-group.x"] == "a = 1\n"
    assert paper.deeds == ["settled"]


def test_data_get_their_name_when_they_are_whole(host, paper):
    host.answers["maker"] = Ran(0, "", "ERROR: half")
    with pytest.raises(errors.EngineFailed, match="half"):
        paper.make()
    assert HERE.data not in host.files
    host.answers["maker"] = Ran(0, "", "")
    paper.make()
    assert HERE.data in host.files
    host.deeds.clear()
    paper.make()
    assert host.deeds == []


def test_a_certificate_is_loaded_where_something_runs(host, paper):
    host.state = "inactive"
    paper.load_certificate(host.tls)
    assert paper.deeds == ["wrote enforced"]
    assert host.files[HERE.pair] == "/tls/pair"
    host.state = "active"
    paper.load_certificate(dataclasses.replace(host.tls, mode=BASIC))
    assert paper.deeds[1:] == ["wrote basic", "took the certificate in basic"]
    assert host.files[HERE.mode] == "basic\n"


def test_accounts_are_held_to_mtls_and_let_go_of_it_only(host, paper):
    """What a tenant asks of an account himself is nobody's to take away."""
    host.state = "active"
    for mode in (ENFORCED, MTLS, MTLS, BASIC, ENFORCED):
        paper.load_certificate(dataclasses.replace(host.tls, mode=mode))
    held = [deed for deed in paper.deeds if deed.startswith("held")]
    assert held == ["held mtls", "held mtls", "held basic"]
    host.files[HERE.mode] = "nonsense"
    paper.hold_mode()
    assert paper.deeds[-1] == "held enforced"


def test_a_change_of_mode_that_was_cut_off_is_made_whole(host, paper):
    host.state = "active"
    paper.load_certificate(dataclasses.replace(host.tls, mode=MTLS))
    paper.dies = True
    with pytest.raises(Death):
        paper.load_certificate(host.tls)
    paper.dies = False
    paper.load_certificate(host.tls)
    assert paper.deeds[-1] == "held enforced"


def test_what_a_client_is_shown_is_the_first_certificate(host, paper):
    first = f"{BEGIN}\nQUJD\n{END}"
    host.answers["openssl"] = Ran(0, f"CONNECTED\n{first}\n{BEGIN}\nRA==\n{END}", "")
    assert paper.shown() == f"{first}\n"
    for said in ("", "refused", f"{BEGIN} and no end"):
        host.answers["openssl"] = Ran(1, said, "")
        with pytest.raises(errors.EngineFailed, match="no certificate"):
            paper.shown()


@pytest.mark.parametrize("starttls, told", [("paper", True), (None, False)])
def test_an_engine_may_speak_tls_from_the_first_byte(host, paper, starttls, told):
    asked = []
    host.run = lambda argv, **_: asked.extend(argv) or Ran(0, f"{BEGIN}\n{END}", "")
    paper.starttls = starttls
    paper.shown()
    assert ("-starttls" in asked) is told
    assert asked[:4] == ["openssl", "s_client", "-connect", "127.0.0.1:4711"]


def test_without_its_certificate_nothing_is_served(paper):
    with pytest.raises(errors.EngineFailed, match=r"ca\.crt"):
        paper.load_certificate(Tls("/none", "/none"))


def test_a_start_is_over_when_it_answers_and_a_stop_lets_go(host, paper):
    paper.start()
    paper.restart()
    paper.stop()
    assert paper.deeds == ["answered", "answered"]
    assert host.deeds == ["start x.service", "restart x.service", "stop x.service"]
    assert paper.health().state == "healthy"


def test_a_group_is_taken_by_an_engine_that_runs(paper, host):
    paper.configure(host.sizing, host.tls, {"a": 1}, 7)
    paper.keep_group()
    host.state = "active"
    paper.deeds.clear()
    assert paper.regroup(host.sizing, {"slow": 2}, 7) == ("slow",)
    assert paper.deeds == ["took {'slow': 2} over {'id': 7}"]
    assert "slow = 2" in host.files["/etc/x/50-group.x"]
    assert paper.retreat(), "the engine was not yet started with it"
    assert host.files["/etc/x/50-group.x"] == "a = 1\n"
    assert not paper.retreat()


def test_a_group_waits_in_its_file_for_an_engine_that_is_stopped(paper, host):
    paper.configure(host.sizing, host.tls, {}, 7)
    paper.deeds.clear()
    assert paper.regroup(host.sizing, {"slow": 2}, 7) == ()
    assert paper.deeds == []
    assert "slow = 2" in host.files["/etc/x/50-group.x"]


def test_a_group_that_is_not_taken_leaves_what_was(paper, host):
    paper.configure(host.sizing, host.tls, {"a": 1}, 7)
    paper.keep_group()
    host.state = "active"
    paper.deeds.clear()
    with pytest.raises(errors.EngineFailed, match="evil"):
        paper.regroup(host.sizing, {"evil": 1}, 7)
    assert paper.deeds[-1] == "took {'a': 1} over {'id': 7}"
    assert host.files["/etc/x/50-group.x"] == "a = 1\n"
    paper.complaint = "no"
    with pytest.raises(errors.Invalid, match="no"):
        paper.regroup(host.sizing, {"b": 1}, 7)
    assert host.files["/etc/x/50-group.x"] == "a = 1\n"
