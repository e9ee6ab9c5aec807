# SPDX-License-Identifier: Apache-2.0
"""Who floods is shut out, by whichever conductor sees it, and let in again in time."""

import pytest
import sqlalchemy as sa

from trove import errors
from trove.conductor.curb import FIRST, LONGEST, SWEEP, Curb
from trove.db.tables import Event
from trove.rpc.rates import Floods

USER = "guest-i"


class Gate:
    """The broker's record of who is out."""

    def __init__(self):
        self.out, self.asked, self.away = set(), [], False

    def shut_out(self, instance):
        self.asked.append(instance)
        if self.away:
            raise errors.Unavailable(what="The message broker")
        self.out.add(instance)
        return instance != "gone"

    def let_in(self, instance):
        self.out.discard(instance)

    def shut_out_now(self):
        return sorted(self.out)


class Scene:
    def __init__(self, office):
        self.now, self.gate, self.floods = 1000.0, Gate(), Floods()
        self.database = office.database
        self.curb = self.another()

    def another(self):
        return Curb(self.database, self.gate, self.floods, clock=lambda: self.now)

    def flood(self, user=USER):
        self.floods.note(user)
        self.curb.round()

    def wait(self, seconds):
        self.now += seconds
        self.curb.round()

    def told(self):
        with self.database.reading() as tx:
            return list(tx.scalars(sa.select(Event.kind).order_by(Event.seq)))


@pytest.fixture
def scene(office):
    return Scene(office)


def test_who_floods_is_out_and_comes_back_by_itself(scene, caplog):
    """Section 4, flood: and both are told, in the log and in the instance's events."""
    scene.flood()
    assert scene.gate.out == {"i"}
    scene.wait(FIRST - 1)
    assert scene.gate.out == {"i"}
    scene.wait(SWEEP)
    assert scene.gate.out == set()
    assert scene.told() == ["guest.shut_out", "guest.let_in"]
    assert "instance i: its guest floods the broker" in caplog.text


def test_each_time_is_longer_and_none_is_for_ever(scene):
    stays = []
    for _ in range(8):
        scene.flood()
        began = scene.now
        while scene.gate.out:
            scene.wait(SWEEP)
        stays.append(scene.now - began)
    assert FIRST <= stays[0] <= FIRST + SWEEP
    assert stays == sorted(stays)
    assert stays[-1] <= LONGEST + SWEEP


def test_what_it_had_sent_before_does_not_make_it_worse(scene):
    for _ in range(10):
        scene.flood()
    assert scene.gate.asked == ["i"]
    scene.wait(FIRST + SWEEP)
    assert scene.gate.out == set()


def test_another_conductor_lets_in_whom_a_dead_one_shut_out(scene):
    scene.flood()
    scene.curb = scene.another()
    scene.curb.round()
    scene.wait(FIRST + SWEEP)
    assert scene.gate.out == set()


def test_a_broker_that_is_away_is_asked_again(scene):
    scene.gate.away = True
    with pytest.raises(errors.Unavailable):
        scene.flood()
    scene.gate.away = False
    scene.curb.round()
    assert scene.gate.out == {"i"}


def test_nobody_but_a_guest_is_ever_shut_out(scene):
    scene.flood("trove-control")
    assert scene.gate.asked == []


def test_a_guest_without_a_user_is_no_news(scene):
    scene.flood("guest-gone")
    assert scene.told() == []
