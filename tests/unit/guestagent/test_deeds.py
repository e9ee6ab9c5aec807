# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/deeds.py: each may be done again from its start."""

import dataclasses
import json
import os

import pytest

from trove import errors
from trove.guestagent import deeds, identity, state
from trove.guestagent.desk import Desk, NotHealthy
from trove.guestagent.disks import DiskError, Disks
from trove.rpc import codec, sealing
from trove.rpc.messages import DatabaseOrder, Group, Plan

PLAN = Plan("toy", "1", 512, 2, 7, None, "xfs", databases=(DatabaseOrder("shop"),))
MIB = 1024 * 1024

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices")


@pytest.fixture
def said():
    """How far the deeds said they were."""
    return []


@pytest.fixture
def desk(places, host, guest, said):
    """A fresh desk each time, as each child has."""

    def made():
        clock = Clock()
        return Desk(
            *(places, host),
            progress=lambda percent, _done: said.append(percent),
            trouble=said.append,
            clock=clock,
            pause=clock.pause,
        )

    return made


class Clock:
    now = 0.0

    def __call__(self):
        self.now += 0.25
        return self.now

    def pause(self, seconds):
        self.now += seconds


def prepare(desk, plan=PLAN, **changes):
    plan = dataclasses.replace(plan, **changes)
    return deeds.prepare(desk(), {"plan": codec.encode(plan)})


def sealed(places, *users):
    key = identity.load(places).public_key
    return sealing.seal(key, {"users": list(users)})


def test_the_plan_is_carried_out_and_again(desk, toy, places):
    user = {"name": "a'b", "host": None, "password": "pä ss", "databases": ["shop"]}
    for _ in range(2):
        result = prepare(desk, sealed=sealed(places, user))
        assert result == {"version": "1.0", "volume": None}
    assert (toy.data / "databases/shop").exists()
    assert (toy.data / "accounts/a%27b").read_text() == "pä ss"
    assert "server_id=7" in (toy.data / "toy.conf").read_text()
    course = state.load_course(places)
    assert (course.run, course.prepared) == (True, True)


def test_it_says_how_far_it_is(desk, said, toy):
    prepare(desk)
    assert said == sorted(said)
    assert len(said) > 5


@pytest.mark.parametrize(
    "broken",
    [
        {"sealed": "no seal at all"},
        {"sealed": sealing.seal(sealing.keypair()[1], {"users": []})},
        {"datastore": "another"},
    ],
)
def test_a_plan_that_is_not_for_us_changes_nothing(desk, toy, places, broken):
    with pytest.raises(errors.Invalid):
        prepare(desk, **broken)
    assert toy.calls == []
    assert state.load_course(places) == state.Course()


@pytest.mark.parametrize("secret", [{}, {"users": 1}, {"users": [{"name": "x"}]}])
def test_what_is_sealed_must_name_users(desk, places, secret):
    key = identity.load(places).public_key
    with pytest.raises(errors.Invalid):
        prepare(desk, sealed=sealing.seal(key, secret))


def test_an_engine_that_does_not_become_healthy_fails_the_job(desk, toy, places):
    prepare(desk)
    toy.kill()
    made = desk()
    made.engine.restart = lambda: None
    with pytest.raises(NotHealthy, match="crashed"):
        deeds.restart_database(made, {})


def configure(desk, **values):
    group = Group(memory=512, vcpus=2, server_id=7, values=values)
    return deeds.configure(desk(), {"group": codec.encode(group)})


def test_a_group_is_taken_and_says_what_waits(desk, toy):
    prepare(desk)
    assert configure(desk, fast=1) == {"restart": []}
    assert configure(desk, fast=1, slow_start=2) == {"restart": ["slow_start"]}


def test_a_group_is_for_what_is_prepared(desk, toy):
    with pytest.raises(errors.Conflict):
        configure(desk, fast=1)
    assert toy.calls == []


def test_a_restart_that_a_new_group_spoils_returns_to_the_one_before(desk, toy):
    prepare(desk)
    configure(desk, fast=1)
    deeds.restart_database(desk(), {})
    configure(desk, broken=1)
    with pytest.raises(deeds.NotTaken, match=r"of no use; .* configuration before"):
        deeds.restart_database(desk(), {})
    assert json.loads((toy.data / "group.json").read_text()) == {"fast": 1}
    os.kill(toy.pid, 0)
    deeds.restart_database(desk(), {})


def test_after_a_boot_a_database_with_the_group_before_is_better_than_none(desk, toy):
    prepare(desk)
    configure(desk, broken=1)
    toy.kill()
    deeds.take_up(desk(), {})
    os.kill(toy.pid, 0)
    toy.order(fail_in="start")
    toy.kill()
    with pytest.raises(errors.EngineFailed, match="ordered"):
        deeds.take_up(desk(), {})


def test_what_is_not_prepared_is_not_restarted(desk, toy):
    with pytest.raises(errors.Conflict):
        deeds.restart_database(desk(), {})
    assert toy.calls == []


def test_after_a_boot_it_runs_again_only_if_it_shall(desk, toy, places):
    prepare(desk)
    toy.kill()
    deeds.take_up(desk(), {})
    os.kill(toy.pid, 0)
    deeds.stop_database(desk(), {})
    deeds.stop_database(desk(), {})
    assert not (toy.data / "pid").exists()
    deeds.take_up(desk(), {})
    assert not (toy.data / "pid").exists()
    deeds.restart_database(desk(), {})
    os.kill(toy.pid, 0)


@pytest.fixture
def loop(tmp_path, host, toy):
    """A blank volume on a loop device; unmounted when the toy is dead."""
    image = tmp_path / "volume.img"
    with image.open("wb") as file:
        file.truncate(320 * MIB)
    device = host.run(["losetup", "--find", "--show", str(image)]).stdout.strip()
    yield device
    toy.kill()
    host.run(["umount", str(toy.data)], check=False)
    host.run(["losetup", "--detach", device], check=False)


@needs_root
@pytest.mark.root
@pytest.mark.parametrize("fstype", ["xfs", "ext4"])
def test_the_data_is_on_the_volume_also_after_a_boot(
    desk, toy, places, host, loop, fstype
):
    result = prepare(desk, device=loop, fstype=fstype)
    volume = state.load_course(places).volume
    assert result["volume"] == volume.uuid
    machine = Disks(host)
    assert machine.mount_at(str(toy.data)).fstype == fstype
    prepare(desk, device=loop, fstype=fstype)
    toy.kill()
    machine.unmount(str(toy.data))  # as a boot does
    assert os.listdir(toy.data) == []
    deeds.take_up(desk(), {})
    assert (toy.data / "databases/shop").exists()
    os.kill(toy.pid, 0)


@needs_root
@pytest.mark.root
def test_a_server_built_again_keeps_its_volume(desk, toy, places, host, loop):
    """Its root disk is new, with nothing of what the old one knew."""
    prepare(desk, device=loop)
    first = state.load_course(places).volume
    toy.kill()
    Disks(host).unmount(str(toy.data))
    places.course.unlink()
    prepare(desk, device=loop)
    assert state.load_course(places).volume == first
    assert (toy.data / "databases/shop").exists()


@needs_root
@pytest.mark.root
def test_anothers_volume_is_not_touched(desk, toy, places, host, loop):
    host.run(["mkfs.ext4", "-q", "-L", "precious", loop])
    with pytest.raises(DiskError, match="precious"):
        prepare(desk, device=loop)
    assert toy.calls == []
    assert Disks(host).signature(loop).label == "precious"


@needs_root
@pytest.mark.root
def test_without_its_volume_the_engine_is_not_started(
    desk, toy, host, loop, places, said, monkeypatch
):
    """T15: it is told while it is waited for: a volume may be brought back."""
    monkeypatch.setattr(deeds, "TAKE_UP", 140)
    prepare(desk, device=loop)
    toy.kill()
    Disks(host).unmount(str(toy.data))
    host.run(["losetup", "--detach", loop])
    started = toy.calls.count("start")
    with pytest.raises(DiskError, match="did not appear"):
        deeds.take_up(desk(), {})
    assert toy.calls.count("start") == started
    assert "did not appear" in said[-1]


def carry(desk, toy, deed, **changes):
    plan = dataclasses.replace(PLAN, copy="op", databases=(), **changes)
    deed = getattr(deeds, deed)
    return deed(desk(), {"copy": "op", "plan": codec.encode(plan)})


def test_a_new_version_has_all_that_the_old_one_says(desk, toy, places):
    """Each of it twice: a job may be done again from its beginning."""
    prepare(desk)
    (toy.data / "databases/shop").write_text("rows")
    (toy.data / "of-the-old-version").touch()
    for deed in ("unload_data", "keep_data"):
        for _ in range(2):
            assert carry(desk, toy, deed) == {}
    assert toy.calls.count("unload") == 1
    places.course.unlink()  # its root disk is the new version's
    for _ in range(2):
        assert carry(desk, toy, "load_data") == {}
        assert os.listdir(toy.data / ".trove-carried") == [], "it was taken"
        # a death before it is removed; it is not taken again
        (toy.data / ".trove-carried/op").mkdir()
    assert carry(desk, toy, "load_data") == {}
    assert os.listdir(toy.data / ".trove-carried") == []
    assert toy.calls.count("load") == 1
    assert not (toy.data / "of-the-old-version").exists()
    assert (toy.data / ".trove-kept/op/of-the-old-version").exists()
    assert not (toy.data / "pid").exists(), "it serves nobody yet"
    prepare(desk, databases=(), copy="op")
    assert (toy.data / "databases/shop").read_text() == "rows"
    os.kill(toy.pid, 0)
    assert os.listdir(toy.data / ".trove-kept") == ["op"], "it is its user's to discard"
    (toy.data / ".trove-carried/op").mkdir()  # an agent of before leaves it there
    carry(desk, toy, "forget_data")
    for place in (".trove-carried", ".trove-kept"):
        assert os.listdir(toy.data / place) == []
    assert (toy.data / "databases/shop").read_text() == "rows"


def test_what_was_half_unloaded_or_loaded_is_begun_anew(desk, toy, places):
    prepare(desk)
    (toy.data / "databases/shop").write_text("rows")
    toy.order(fail_in="unload")
    with pytest.raises(errors.EngineFailed):
        carry(desk, toy, "unload_data")
    toy.obey()
    (toy.data / ".trove-carried").mkdir(exist_ok=True)
    (toy.data / ".trove-carried/op-unfinished").mkdir()
    carry(desk, toy, "unload_data")
    carry(desk, toy, "keep_data")
    places.course.unlink()
    toy.order(fail_in="load")
    with pytest.raises(errors.EngineFailed):
        carry(desk, toy, "load_data")
    toy.obey()
    (toy.data / "databases/half").touch()
    carry(desk, toy, "load_data")
    assert os.listdir(toy.data / "databases") == ["shop"]


def test_nothing_makes_way_unless_the_copy_is_whole(desk, toy, places):
    prepare(desk)
    (toy.data / "databases/shop").write_text("rows")
    carry(desk, toy, "unload_data")
    places.course.unlink()
    with pytest.raises(errors.Invalid, match="no copy"):
        carry(desk, toy, "load_data")
    assert (toy.data / "databases/shop").read_text() == "rows"
