# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/manager.py: what arrives is entered, once, and answered."""

import pytest

from trove import errors
from trove.context import Context
from trove.guestagent.archives import Shelf
from trove.guestagent.archiving import Archiving
from trove.guestagent.jobs import Jobs
from trove.guestagent.ledger import Ledger, Outcome
from trove.guestagent.manager import Manager
from trove.rpc.guest import Guest
from trove.rpc.messages import ArchiveOrder, Plan

PLAN = Plan("toy", "1", 512, 1, 7, None, "xfs", sealed="SEALED")


@pytest.fixture
def scene(places, host):
    class Scene:
        ledger = Ledger(places.jobs)
        rings = 0

        def ring(self):
            self.rings += 1

    made = Scene()
    jobs = Jobs(places, made.ledger, host)  # not started: what is entered stays so
    made.manager = Manager(made.ledger, jobs, made.ring)
    yield made
    jobs.stop(1)


def test_it_serves_the_whole_interface(scene):
    Guest.serve(scene.manager)


def test_a_job_is_entered_once_and_told_each_time(scene):
    for _ in range(3):
        scene.manager.prepare(Context(), "op/prepare", PLAN)
    scene.manager.restart_database(Context(), "op/restart_database")
    scene.manager.stop_database(Context(), "op/stop_database")
    assert [job.id for job in scene.ledger.reports()] == [
        "op/prepare",
        "op/restart_database",
        "op/stop_database",
    ]
    assert scene.rings == 5
    assert scene.ledger.get("op/prepare").arguments["plan"]["sealed"] == "SEALED"


def test_who_asks_how_it_ended_has_heard_it(scene):
    manager = scene.manager
    assert manager.job(Context(), "op/prepare") is None
    manager.prepare(Context(), "op/prepare", PLAN)
    assert manager.job(Context(), "op/prepare").state == "sent"
    assert len(scene.ledger.reports()) == 1
    begun = scene.ledger.begin(scene.ledger.next())
    scene.ledger.finish(begun, Outcome(state="failed", fault="no disk"))
    assert manager.job(Context(), "op/prepare").fault == "no disk"
    assert scene.ledger.reports() == ()


@pytest.mark.parametrize("id", ["", "../x", "boot/1/take_up", "a\nb", "a" * 300, "ü"])
def test_what_is_no_id_is_refused(scene, id):
    with pytest.raises(errors.Invalid):
        scene.manager.prepare(Context(), id, PLAN)
    with pytest.raises(errors.Invalid):
        scene.manager.job(Context(), id)


def test_the_log_is_the_business_of_a_part_of_its_own(scene, places, host):
    order = ArchiveOrder("a", 60)
    with pytest.raises(errors.Unsupported):
        scene.manager.archive(Context(), order)
    part = Archiving(places, host, lambda report: None)  # not started
    manager = Manager(scene.ledger, None, archiving=part)
    manager.archive(Context(), order)
    assert Shelf(places).order() == order
    manager.end_archive(Context(), "a")
    assert Shelf(places).order() is None
