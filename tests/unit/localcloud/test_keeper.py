# SPDX-License-Identifier: Apache-2.0
import sqlite3

import pytest

from trove import errors
from trove.localcloud import disks, keeper, things

STAMPS = (1.0, 1.0)


class Shop:
    """A workshop that writes down what it is told to do, and fails where told."""

    def __init__(self, rows):
        self.store = rows
        self.done = []
        self.failing = {}
        self.running = set()
        self.machines = self.disks = self.wires = self
        self.stray = set()

    def _deed(self, name, id):
        if name in self.failing:
            raise self.failing[name]
        self.done.append((name, id))

    # the workshop
    def guard(self):
        pass

    def build(self, server):
        self._deed("build", server.id)
        self.running.add(server.id)

    def boot(self, server):
        self._deed("boot", server.id)

    def halt(self, server, hard=False):
        self._deed("halt", server.id)

    def reboot(self, server, hard=False):
        self._deed("hard reboot" if hard else "reboot", server.id)

    def rebuild(self, server):
        self._deed("rebuild", server.id)

    def resize(self, server):
        self._deed("resize", server.id)

    def clear(self, server):
        self._deed("clear", server.id)

    def plug(self, attachment):
        self._deed("plug", attachment.id)

    def unplug(self, attachment):
        self._deed("unplug", attachment.id)

    # machines, disks, wires
    def up(self):
        pass

    def active(self):
        return self.running

    def all(self):
        return self.stray

    def devices(self):
        return {}

    def remove(self, id):
        self._deed("remove", id)

    def create(self, id, size):
        self._deed("create", id)

    def grow(self, id, size):
        self._deed("grow", id)

    def release(self, id):
        self._deed("release", id)


@pytest.fixture
def shop(rows):
    return Shop(rows)


@pytest.fixture
def kept(shop):
    made = keeper.Keeper(shop, workers=1)
    yield made
    made.stop()


def work(kept):
    """Everything that rows ask for has been done once."""
    kept.sweep()
    kept.idle()


def server(**values):
    row = things.Server("s1", "p", "db", *STAMPS, "u", "1", "i", ["/layer"])
    for name, value in values.items():
        setattr(row, name, value)
    return row


def volume(status):
    return things.Volume("v1", "p", "", *STAMPS, 1, status)


def attachment(state):
    return things.Attachment("v1", "p", "", *STAMPS, "s1", "/dev/vdb", state)


def put(rows, *given):
    with rows.transaction() as tx:
        for row in given:
            tx.put(row)


def get(rows, kind, id):
    with rows.transaction() as tx:
        return tx.get(kind, id)


def test_a_server_asked_for_becomes_active_with_its_volume(rows, kept, shop):
    put(
        rows, server(user_data="c2VjcmV0"), attachment("attaching"), volume("attaching")
    )
    work(kept)
    row = get(rows, things.Server, "s1")
    assert (row.status, row.doing) == ("ACTIVE", None)
    assert get(rows, things.Volume, "v1").status == "in-use"
    # the one-time credential is not kept once the guest has it
    assert row.user_data is None


def test_a_server_that_cannot_be_built_is_cleared_and_says_why(rows, kept, shop):
    shop.failing["build"] = errors.Upstream(why="no space left")
    put(rows, server(user_data="c2VjcmV0"))
    work(kept)
    row = get(rows, things.Server, "s1")
    assert (row.status, row.doing, row.user_data) == ("ERROR", None, None)
    assert "no space left" in row.fault["message"]
    assert shop.done == [("clear", "s1")]


@pytest.mark.parametrize("trouble", [OSError(28, "full"), sqlite3.Error("disk")])
def test_a_delete_is_tried_until_it_is_done(rows, kept, shop, trouble):
    shop.failing["clear"] = trouble
    put(rows, server(doing="deleting"))
    work(kept)
    assert get(rows, things.Server, "s1").doing == "deleting"
    shop.failing.clear()
    work(kept)
    row = get(rows, things.Server, "s1")
    assert (row.status, row.doing) == ("DELETED", None)
    assert row.deleted


def test_a_delete_that_came_during_the_build_is_done(rows, kept, shop):
    def build(row):
        put(rows, server(doing="deleting"))

    shop.build = build
    put(rows, server())
    work(kept)
    assert get(rows, things.Server, "s1").status == "DELETED"


@pytest.mark.parametrize(
    ("doing", "deed", "status"),
    [
        ("stopping", "halt", "SHUTOFF"),
        ("starting", "boot", "ACTIVE"),
        ("rebooting", "reboot", "ACTIVE"),
        ("rebooting_hard", "hard reboot", "ACTIVE"),
        ("rebuilding", "rebuild", "ACTIVE"),
    ],
)
def test_what_is_asked_of_a_server_is_done(rows, kept, shop, doing, deed, status):
    put(rows, server(status="ACTIVE", doing=doing))
    work(kept)
    assert shop.done == [(deed, "s1")]
    assert get(rows, things.Server, "s1").status == status


def test_a_resize_waits_to_be_confirmed_and_its_return_does_not(rows, kept):
    put(rows, server(status="ACTIVE", doing="resizing", old_flavor="2"))
    work(kept)
    assert get(rows, things.Server, "s1").status == "VERIFY_RESIZE"
    put(rows, server(status="VERIFY_RESIZE", doing="resizing", old_flavor=None))
    work(kept)
    assert get(rows, things.Server, "s1").status == "ACTIVE"


@pytest.mark.parametrize(
    ("status", "failing", "after"),
    [
        ("creating", None, "available"),
        ("creating", "create", "error"),
        ("extending", None, "available"),
        ("extending", "grow", "error_extending"),
        ("deleting", "remove", "error_deleting"),
    ],
)
def test_a_volume_ends_where_it_should(rows, kept, shop, status, failing, after):
    if failing:
        shop.failing[failing] = OSError(5, "broken")
    put(rows, volume(status))
    work(kept)
    assert get(rows, things.Volume, "v1").status == after


def test_a_deleted_volume_is_no_more(rows, kept):
    put(rows, volume("deleting"))
    work(kept)
    assert get(rows, things.Volume, "v1") is None


def test_a_volume_grown_in_use_stays_in_use(rows, kept):
    put(rows, volume("extending"), attachment("attached"))
    work(kept)
    assert get(rows, things.Volume, "v1").status == "in-use"


def test_a_volume_that_a_guest_holds_is_not_taken_from_it(rows, kept, shop):
    shop.failing["unplug"] = disks.DiskBusy(volume="v1")
    put(rows, server(status="ACTIVE", doing=None))
    put(rows, volume("detaching"), attachment("detaching"))
    work(kept)
    assert get(rows, things.Attachment, "v1").state == "attached"
    assert get(rows, things.Volume, "v1").status == "in-use"


def test_a_volume_that_cannot_be_attached_is_free_again(rows, kept, shop):
    shop.failing["plug"] = OSError(5, "broken")
    put(rows, server(status="ACTIVE", doing=None))
    put(rows, volume("attaching"), attachment("attaching"))
    work(kept)
    assert get(rows, things.Attachment, "v1") is None
    assert get(rows, things.Volume, "v1").status == "available"
    assert ("release", "v1") in shop.done


def test_after_a_reboot_of_the_host_what_should_run_is_started(rows, kept, shop):
    put(rows, server(status="ACTIVE", doing=None))
    kept.recover()
    kept.idle()
    assert ("boot", "s1") in shop.done


@pytest.mark.parametrize(
    "values", [{"wanted": "stopped", "status": "SHUTOFF"}, {"status": "ERROR"}]
)
def test_what_should_not_run_is_left(rows, kept, shop, values):
    put(rows, server(doing=None, **values))
    kept.recover()
    kept.idle()
    assert shop.done == []


def test_guests_that_run_are_left_alone(rows, kept, shop):
    shop.running.add("s1")
    put(rows, server(status="ACTIVE", doing=None))
    kept.recover()
    kept.idle()
    assert shop.done == []


def test_a_machine_of_nobody_is_removed(rows, kept, shop):
    shop.stray = {"s9"}
    kept.recover()
    assert ("remove", "s9") in shop.done


def test_a_guest_that_died_is_shown_so_when_seen_twice(rows, kept, shop):
    put(rows, server(status="ACTIVE", doing=None))
    kept.look()
    assert get(rows, things.Server, "s1").status == "ACTIVE"
    kept.look()
    assert get(rows, things.Server, "s1").status == "SHUTOFF"
    shop.running.add("s1")
    kept.look()
    assert get(rows, things.Server, "s1").status == "ACTIVE"


def test_deleted_servers_are_forgotten_after_a_day(rows, kept, clock):
    put(rows, server(status="DELETED", doing=None, deleted=clock.now))
    kept.recover()
    assert get(rows, things.Server, "s1") is not None
    clock.now += 2 * keeper.REMEMBERED
    kept.recover()
    assert get(rows, things.Server, "s1") is None
