# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/archiving.py: a round when it is due, and what it said."""

import os
import threading

import pytest

from trove import errors
from trove.guestagent import archiving as module
from trove.guestagent.archives import Progress, Shelf
from trove.guestagent.archiving import IDLE, SOONEST, Archiving
from trove.rpc.messages import ArchiveOrder

ORDER = ArchiveOrder("a", 60, 0, "sealed")
ROUND = """\
import pathlib, sys, time
from trove.guestagent.archives import Progress, Shelf
from trove.guestagent.places import Places
shelf = Shelf(Places(state=pathlib.Path(sys.argv[1])))
order, home = shelf.order(), pathlib.Path(sys.argv[1])
with (home / "rounds").open("a") as rounds:
    rounds.write((order.archive if order else "over") + "\\n")
shelf.save(Progress(order.archive, part=1)) if order else shelf.forget()
while (home / "block").exists():
    time.sleep(0.02)
"""


class Scene:
    """The part, without a thread; each look is the test's."""

    def __init__(self, places, host):
        self.places, self.host = places, host
        self.told, self.now, self.away = [], 100.0, False
        self.shelf = Shelf(places)
        self.part = self.made()

    def made(self):
        return Archiving(
            *(self.places, self.host, self.tell),
            clock=lambda: self.now,
            module="toy_round",
        )

    def tell(self, report):
        if self.away:
            raise errors.Unavailable(what="the broker")
        self.told.append(report)

    @property
    def rounds(self):
        path = self.places.state / "rounds"
        return path.read_text().split() if path.exists() else []

    def blocks(self, on):
        path = self.places.state / "block"
        path.touch() if on else path.unlink()


@pytest.fixture
def scene(places, host, tmp_path, monkeypatch):
    home = tmp_path / "modules"
    home.mkdir()
    (home / "toy_round.py").write_text(ROUND)
    ways = [os.environ.get("PYTHONPATH", ""), str(home)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, ways)))
    monkeypatch.setattr(module, "SYSTEMD", tmp_path / "none")
    return Scene(places, host)


def test_nothing_is_done_where_nothing_is_ordered(scene):
    assert scene.part.look() == IDLE
    assert scene.rounds == [] and scene.told == []


def test_a_round_each_so_many_seconds_and_its_word(scene):
    scene.part.order(ORDER)
    assert scene.part.look() == 60.0
    assert [report.archive for report in scene.told] == ["a"]
    scene.now += 59
    assert scene.part.look() == 1.0 and scene.rounds == ["a"]
    scene.now += 1
    scene.part.look()
    assert scene.rounds == ["a", "a"] and len(scene.told) == 2


def test_rounds_do_not_come_faster_than_that(scene):
    scene.part.order(ArchiveOrder("a", 0))
    assert scene.part.look() == SOONEST


def test_one_that_goes_on_is_told_of_and_never_beside_another(scene, monkeypatch):
    monkeypatch.setattr(module, "SLICE", 0.2)
    scene.blocks(True)
    scene.part.order(ORDER)
    until(lambda: scene.part.look() or scene.told)
    assert scene.part.look() == 0.0
    scene.now += 1000
    assert scene.part.look() == 0.0 and scene.rounds == ["a"]
    scene.blocks(False)
    until(lambda: scene.part._child is None or scene.part.look())


def until(true):
    for _ in range(200):
        if true():
            return
    raise AssertionError("it does not come to it")


def test_an_order_that_comes_meanwhile_is_given_to_the_round(scene, monkeypatch):
    monkeypatch.setattr(module, "SLICE", 0.2)
    scene.blocks(True)
    scene.part.order(ORDER)
    scene.part.look()
    scene.part.order(ArchiveOrder("a", 60, 0, "newer"))
    assert scene.shelf.granted("a").read_text() == "newer"
    scene.blocks(False)
    until(lambda: scene.part._child is None or scene.part.look())


def test_a_broker_that_is_away_is_told_with_the_next(scene):
    scene.away = True
    scene.part.order(ORDER)
    scene.part.look()
    scene.away = False
    scene.now += 60
    scene.part.look()
    assert len(scene.told) == 1


def test_a_file_that_cannot_be_read_ends_no_agent(scene, places):
    scene.part.order(ORDER)
    (places.state / "archive/order.json").write_text("{")
    assert scene.part.look() == module.SLICE
    (places.state / "archive/order.json").unlink()
    scene.part.order(ORDER)
    scene.part.look()
    assert scene.rounds == ["a"]


def test_one_that_is_over_is_let_go_once(scene):
    scene.part.order(ORDER)
    scene.part.look()
    scene.part.end("a")
    scene.part.look()
    assert scene.rounds == ["a", "over"]
    assert scene.part.look() == IDLE and len(scene.told) == 1
    scene.part.order(ORDER)  # late
    assert scene.part.look() == IDLE


def test_an_agent_that_starts_again_goes_on(scene):
    scene.part.order(ORDER)
    scene.part.look()
    again = scene.made()
    again.look()
    assert scene.rounds == ["a", "a"]


def test_an_agent_that_died_before_it_let_go_does_so(scene):
    scene.shelf.save(Progress("a"))
    again = scene.made()
    again.look()
    assert scene.rounds == ["over"] and again.look() == IDLE


def test_it_is_a_part(scene):
    scene.part.start()
    told = threading.Event()
    tell = scene.tell
    scene.part._tell = lambda report: (tell(report), told.set())
    scene.part.order(ORDER)
    assert told.wait(30) and scene.part.alive()
    assert scene.part.stop(5)
