# SPDX-License-Identifier: Apache-2.0
"""What is saved on a real OpenStack comes back there: in its Swift, and in its Cinder.

A full backup and an increment, a snapshot of the volume, and a moment of the log; each
an instance of its own on the user's network after the source is gone. Nothing stays in
the service's account, nor in Cinder, when the backups are deleted.
"""

import contextlib
import time

import pytest

from tests.contract.cloud import real
from tests.openstack.conftest import objects
from tests.openstack.stand import PATIENCE, SMALL, outside
from tests.openstack.test_life import FIRST, PASSWORD, Story
from tests.system.deployment import VERSIONS, ask, completed, until
from tests.system.test_point_in_time import passed, seconds, text
from trove.datastores import registry

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(3600)]

POLICY = {"window": "00:00", "increment_every_hours": None, "keep_days": 1}
"""One full backup by itself, and the log."""
APART = 5.0
"""Seconds by which the clocks of an emulated guest and of this machine may differ."""


class Saved(Story):
    """An instance, and the instances that are made of what was saved of it."""

    def __init__(self, stand, datastore):
        super().__init__(stand, datastore)
        self.copies, self.flavor = [], ""

    # -- what is saved

    def follow(self):
        """Its log is brought, from its first backup on, which is made by itself."""
        path = f"/instances/{self.id}/backup_policy"
        said = self.answered("PUT", path, {"backup_policy": POLICY})
        assert said["backup_policy"]["point_in_time"] is True
        until("a time can be restored", self.until_when, PATIENCE, every=2)

    def until_when(self):
        """Seconds: the last moment that can be restored; 0: none."""
        known = self.user.show(self.id).get("restorable_times", ())
        return max((seconds(each["until"]) for each in known), default=0)

    def back_up(self, *more):
        """By the shell, as users do."""
        words = ("create", "by-hand", "--instance", self.id, *more)
        return self.whole(self.osc.shown("database", "backup", *words)["id"])

    def snapshot(self):
        """The shell does not know it."""
        order = {"name": "still", "instance": self.id, "storage_driver": "cinder"}
        return self.whole(self.answered("POST", "/backups", {"backup": order})["id"])

    def whole(self, backup):
        return completed(self.user, backup, PATIENCE)["id"]

    def answered(self, verb, path, body):
        answer = self.user.ask(verb, path, body)
        assert answer.status_code < 300, answer.text
        found = answer.json()
        return found.get("backup", found)

    # -- what is made of it

    def of_backup(self, backup):
        words = ("--flavor", SMALL, "--size", "1", "--datastore", self.datastore)
        words += ("--datastore-version", VERSIONS[self.datastore], "--backup", backup)
        words += ("--nic", f"net-id={self.stand.network}", "--is-public")
        made = self.osc.shown("database", "instance", "create", "copy", *words)
        return self.kept(made["id"])

    def of_moment(self, moment):
        order = {
            "name": "copy",
            "flavorRef": self.flavor,
            "volume": {"size": 1},
            "nics": [{"net-id": self.stand.network}],
            "access": {"is_public": True},
            "restorePoint": {"instance": self.id, "time": text(moment)},
        }
        made = self.answered("POST", "/instances", {"instance": order})
        return self.kept(made["instance"]["id"])

    def kept(self, copy):
        self.copies.append(copy)
        return copy

    def rows(self, copy):
        """What a copy has, from outside; it serves, and is written to."""
        self.user.wait(copy)
        line = self.user.connect(outside(self.user, copy), "ada", PASSWORD, "shop")
        with contextlib.closing(line):
            found = {row[0] for row in ask(line, "SELECT what FROM kept")}
            ask(line, "INSERT INTO kept VALUES ('it goes on')")
        return found

    def add(self, what):
        with self.enter() as line:
            ask(line, "INSERT INTO kept VALUES (%s)", what)

    # -- its end

    def leave(self):
        """What is saved of it is there when it is gone."""
        self.flavor = self.user.show(self.id)["flavor"]["id"]
        self.delete()

    def delete_all(self):
        """Of instances and of backups there is none. A volume that was made of a
        snapshot may keep it: it goes first."""
        there = [id for id in (self.id, *self.copies) if id and self.user.show(id)]
        for id in there:
            self.osc("database", "instance", "delete", id)
        for id in there:
            self.user.gone(id)
        while known := self.backups():
            for id, parent in known.items():
                if parent not in known:  # whose increments go with it
                    self.osc("database", "backup", "delete", id)
            self.without(known)

    def without(self, these):
        def are_gone():
            return not set(these) & self.backups().keys()

        until("the backups are gone", are_gone, PATIENCE, every=2)

    def backups(self):
        """Each, with what it stands on."""
        known = self.answered("GET", "/backups", None)["backups"]
        return {one["id"]: one["parent_id"] for one in known}


@pytest.fixture(params=FIRST)
def saved(request, stand):
    before = in_swift()
    made = Saved(stand, request.param)
    yield made
    made.delete_all()
    until("Swift has nothing of it", lambda: in_swift() == before, PATIENCE, every=5)


def in_swift():
    """What the service's own account has."""
    with contextlib.closing(real.connection(real.SERVICE)) as service:
        return {(type(one).__name__, one.name) for one in objects(service)}


def test_what_is_saved_comes_back_from_swift_and_cinder(saved):
    saved.create_outside()
    saved.wait()
    saved.write()
    saved.tell("it serves, and has a row")
    saved.follow()
    saved.tell("its log is brought")
    first = saved.back_up()
    saved.add("since the first")
    chained = registry.get(saved.datastore).chains(VERSIONS[saved.datastore])
    last = saved.back_up(*(("--parent", first) if chained else ()))
    saved.tell("two backups are whole")
    saved.add("since the second")
    still = saved.snapshot()
    saved.tell("a snapshot is whole")
    saved.add("before the moment")
    moment = passed(time.time() + APART)
    passed(moment + APART)
    saved.add("after the moment")
    until("it can be restored", lambda: saved.until_when() > moment, PATIENCE, every=1)
    saved.tell("a moment can be restored")
    saved.leave()
    kept = {"kept", "since the first"}
    # an emulated machine is slow beside more than one other
    copies = [saved.of_backup(last), saved.of_backup(still)]
    assert [saved.rows(copy) for copy in copies] == [kept, kept | {"since the second"}]
    saved.tell("each backup is an instance")
    then = saved.of_moment(moment)
    assert saved.rows(then) == kept | {"since the second", "before the moment"}
    saved.tell("so is the moment")
    saved.delete_all()
    saved.tell("all is gone")
