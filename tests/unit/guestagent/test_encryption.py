# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/encryption.py: tried, looked at, and kept or taken back."""

import pytest
from cryptography.hazmat.primitives import hashes

from tests.pkcs12 import Authority
from trove import errors
from trove.guestagent import brought, deeds, encryption, files, identity, state
from trove.guestagent.brought import Pair
from trove.guestagent.desk import Desk
from trove.rpc import codec, sealing
from trove.rpc.messages import TlsOrder


class Death(BaseException):
    """The process ends here."""


@pytest.fixture(scope="module")
def users():
    return Authority()


class Scene:
    """A prepared guest whose engine runs, and orders for it."""

    def __init__(self, places, host, toy, users):
        self.places, self.host, self.toy, self.users = places, host, toy, users
        self.number = 0

    def desk(self):
        moments = iter(range(10_000))
        return Desk(
            *(self.places, self.host),
            progress=lambda percent, done: None,
            clock=lambda: float(next(moments)),
            pause=lambda seconds: None,
        )

    def order(self, mode, made=None, **about):
        made = made or self.users.server()
        secret = {"pair": made.pair, "ca": self.users.pem, **about}
        key = identity.load(self.places).public_key
        return TlsOrder(mode, False, sealing.seal(key, secret))

    def change(self, order, job=None):
        if job is None:
            self.number += 1
            job = f"job{self.number}"
        arguments = {"order": codec.encode(order), "job": job}
        return deeds.change_tls(self.desk(), arguments)

    def take(self, mode="enforced", made=None):
        made = made or self.users.server()
        self.change(self.order(mode, made))
        return made

    def back(self, **about):
        return self.change(TlsOrder(back=True), **about)

    @property
    def loaded(self):
        """The pair that the engine serves with, and in which mode."""
        data = self.toy.data
        return (data / "loaded.pem").read_text(), (data / "mode").read_text()

    @property
    def kept(self):
        return brought.load(self.places, self.host)


@pytest.fixture
def scene(guest, places, host, toy, users):
    toy.data.mkdir()
    state.save_course(places, state.Course(run=True, prepared=True))
    made = Scene(places, host, toy, users)
    identity.taken(places)
    return made


def said(mode, made):
    """What the control plane hears: also which one it is."""
    known = made.certificate.fingerprint(hashes.SHA256()).hex()
    return {"mode": mode, "brought": True, "fingerprint": known}


@pytest.mark.parametrize("mode", ["basic", "enforced", "mtls"])
def test_it_serves_with_what_was_brought(scene, mode):
    made = scene.users.server()
    assert scene.change(scene.order(mode, made)) == said(mode, made)
    assert scene.loaded == (made.pair, mode)
    assert (scene.toy.data / "loaded.ca").read_text() == scene.users.pem
    assert scene.kept.now == Pair(mode, made.pair, scene.users.pem)
    assert not identity.owed(scene.places)
    shown = identity.shown(scene.places)
    assert (shown.mode, shown.brought, shown.certificate) == (mode, True, made.pem)


def test_ours_is_where_one_returns_to_by_steps(scene):
    ours = (scene.places.tls / identity.PAIR).read_text()
    first, second = scene.take("mtls"), scene.take("basic")
    assert scene.loaded == (second.pair, "basic")
    assert scene.back() == said("mtls", first)
    assert scene.loaded == (first.pair, "mtls")
    assert scene.back() == {"mode": "enforced", "brought": False}
    assert scene.loaded == (ours, "enforced")
    with pytest.raises(errors.Invalid, match="return to"):
        scene.back()


def test_a_step_back_over_one_that_has_ended_is_two(scene):
    ended = scene.users.server(begins=-9, days=-1)
    scene.take("enforced", ended)
    scene.take("enforced")
    assert scene.back() == {"mode": "enforced", "brought": False}


def test_a_job_that_is_done_again_changes_nothing(scene):
    first, second = scene.take(), scene.take()
    scene.back(job="once")
    scene.back(job="once")
    assert scene.kept.now.pair == first.pair
    order = scene.order("enforced", second)
    for _ in range(2):
        scene.change(order, job="twice")
    assert scene.kept.before.pair == first.pair


def test_what_is_not_shown_is_taken_back(scene):
    before = scene.take("basic")
    bad = scene.users.server()
    scene.toy.order(refuse=bad.key_pem)
    with pytest.raises(encryption.NotServed, match=r"another.*as it did before"):
        scene.take("mtls", bad)
    assert scene.loaded == (before.pair, "basic")
    assert scene.kept.now.pair == before.pair
    assert not identity.owed(scene.places)
    assert identity.shown(scene.places).certificate == before.pem


def test_what_cannot_be_written_down_is_taken_back(scene):
    ours = (scene.places.tls / identity.PAIR).read_text()
    (scene.toy.data / brought.FOLDER).write_text("in the way")
    with pytest.raises(files.UnsafePath):
        scene.take()
    (scene.toy.data / brought.FOLDER).unlink()
    (scene.toy.data / brought.FOLDER).mkdir(mode=0o700)
    (scene.toy.data / brought.FOLDER / brought.FILE).mkdir()
    with pytest.raises((errors.TroveError, OSError)):
        scene.take()
    (scene.toy.data / brought.FOLDER / brought.FILE).rmdir()
    scene.take()
    assert scene.loaded[0] != ours


@pytest.mark.parametrize("at", ["load_certificate", "shown", "save"])
def test_a_death_on_the_way_leaves_it_owed_what_is_kept(scene, at, monkeypatch):
    """The renewals load what is kept; the job done again does it all."""
    before, order = scene.take(), scene.order("mtls")

    def dies(*given, **named):
        raise Death

    with monkeypatch.context() as patch:
        if at == "save":
            patch.setattr(brought, "save", dies)
        else:
            import toyengine

            patch.setattr(toyengine.Engine, at, dies)
        with pytest.raises(Death):
            scene.change(order, job="mortal")
    assert identity.owed(scene.places)
    assert scene.kept.now.pair == before.pair
    scene.change(order, job="mortal")
    assert scene.loaded[1] == "mtls"
    assert scene.kept.before.pair == before.pair


@pytest.mark.parametrize(
    "about, mode",
    [
        ({"pair": 7}, "basic"),
        ({"pair": "x"}, "basic"),
        ({"ca": None}, "basic"),
        ({}, "x"),
    ],
)
def test_an_order_that_is_none_changes_nothing(scene, about, mode):
    with pytest.raises(errors.Invalid):
        scene.change(scene.order(mode, **about))
    assert not (scene.toy.data / "loaded.pem").exists()
    assert not identity.owed(scene.places)


def test_before_it_is_prepared_nothing_is_changed(scene, places):
    state.save_course(places, state.Course())
    with pytest.raises(errors.Conflict):
        scene.take()


def test_accounts_that_came_with_the_data_ask_for_no_strangers_certificate(scene):
    """As from a backup of a database in mtls; a user's own authority may be meant."""
    for mode, calls in ((None, 1), ("basic", 1), ("mtls", 2)):
        if mode is not None:
            scene.take(mode)
        encryption.settle_in(scene.desk())
        assert scene.toy.calls.count("hold_mode") == calls
