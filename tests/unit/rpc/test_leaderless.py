# SPDX-License-Identifier: Apache-2.0
"""A queue that nobody leads is taken away when it was seen so for a while."""

import pytest

from trove import errors
from trove.rpc.leaderless import GRACE, Mender, Suspects


class Queues:
    """The broker's, by instance."""

    def __init__(self):
        self.dead, self.removed, self.away = {}, [], False

    def leaderless(self, instance):
        if self.away:
            raise errors.Unavailable(what="The message broker")
        return list(self.dead.get(instance, ()))

    def remove_queue(self, name):
        self.removed.append(name)
        for names in self.dead.values():
            names.discard(name)


class Scene:
    def __init__(self):
        self.now, self.queues, self.suspects = 100.0, Queues(), Suspects()
        self.mender = Mender(self.queues, self.suspects, clock=lambda: self.now)

    def after(self, seconds):
        self.now += seconds
        self.mender.round()
        return self.queues.removed


@pytest.fixture
def scene():
    return Scene()


def test_one_that_stays_so_is_taken_away(scene):
    scene.queues.dead["i"] = {"guestagent.i"}
    scene.suspects.queue("guestagent.i.i")
    assert scene.after(0) == []
    assert scene.after(GRACE / 2) == []
    assert scene.after(GRACE) == ["guestagent.i"]
    assert scene.suspects.take() == []


def test_one_that_was_only_young_is_left_alone(scene):
    scene.queues.dead["i"] = {"guestagent.i"}
    scene.suspects.queue("reply_guest-i:trove-guestagent:1")
    scene.after(0)
    scene.queues.dead["i"].clear()
    scene.after(GRACE / 2)
    # years later it is without one again: that is another time
    scene.queues.dead["i"] = {"guestagent.i"}
    scene.suspects.note("i")
    assert scene.after(10 * GRACE) == []
    assert scene.after(GRACE) == ["guestagent.i"]


def test_nobody_is_asked_about_without_a_suspicion(scene):
    scene.queues.dead["i"] = {"guestagent.i"}
    scene.queues.away = True
    for name in ("trove-conductor", "guestagent.", None, "guestagent.a/b", "reply_x"):
        scene.suspects.queue(name)
    assert scene.after(GRACE) == []


def test_a_broker_that_is_away_is_asked_again(scene):
    scene.queues.dead["i"] = {"guestagent.i"}
    scene.suspects.note("i")
    scene.after(0)
    scene.queues.away = True
    with pytest.raises(errors.Unavailable):
        scene.after(1)
    scene.queues.away = False
    assert scene.after(GRACE) == ["guestagent.i"]
