# SPDX-License-Identifier: Apache-2.0
"""A database's whole life on a real OpenStack, by ``openstack database``.

On a network of the user's with a public address, which is connected to from outside.
"""

import contextlib
import time

import pytest

from tests.openstack.stand import (
    LARGE,
    NEXT,
    PATIENCE,
    SMALL,
    TASKMANAGERS,
    outside,
    until,
)
from tests.system.clients import Openstack
from tests.system.deployment import VERSIONS, User, ask

pytestmark = pytest.mark.openstack

PASSWORD = "correct-horse-1"
MEGABYTE = 1024 * 1024
BUDGET = 60 * MEGABYTE
"""Of an agent, resident."""


class Story:
    """One instance, from its create to its end."""

    def __init__(self, stand, datastore):
        self.stand, self.datastore = stand, datastore
        self.osc, self.user = Openstack(stand), User(stand, "demo", PATIENCE)
        self.name, self.id = f"life-{datastore}", ""
        self.begun = time.monotonic()

    def tell(self, what):
        print(f"{self.datastore}: {what} after {time.monotonic() - self.begun:.0f} s")

    def shown(self):
        return self.osc.shown("database", "instance", "show", self.id or self.name)

    def create(self, *more):
        """On the network of the guests alone, unless ``more`` names another one."""
        made = self.osc.shown(
            *("database", "instance", "create", self.name),
            *("--flavor", SMALL, "--size", "1", "--datastore", self.datastore),
            *("--datastore-version", VERSIONS[self.datastore]),
            *("--databases", "shop", "--users", f"ada:{PASSWORD}"),
            *more,
        )
        self.id = made["id"]

    def create_outside(self):
        """On a network of the user's, with a public address."""
        self.create("--nic", f"net-id={self.stand.network}", "--is-public")

    def wait(self):
        """Until it serves and nothing is under way."""
        return self.user.wait(self.id)

    def enter(self, user="ada", password=PASSWORD, database="shop"):
        """From outside, over TLS, by its public address."""
        line = self.user.connect(outside(self.user, self.id), user, password, database)
        return contextlib.closing(line)

    def upgrade(self):
        """To the next Debian."""
        words = ("database", "instance", "upgrade", self.id, NEXT[self.datastore])
        self.osc(*words)
        assert self.wait()["datastore"]["version"] == NEXT[self.datastore]
        self.tell("its server is one of the next Debian")
        with self.enter() as line:
            assert ask(line, "SELECT VERSION()")[0][0].startswith(NEXT[self.datastore])
            assert ask(line, "SELECT what FROM kept")[0][0] == "kept"

    def weigh(self):
        """The agent's budget; and what the daemons have, for whoever reads."""
        sql = "SELECT rss FROM guest_reports WHERE instance_id = %(id)s"
        rss = self.stand.rows(sql, id=self.id)[0][0]
        self.tell(f"its agent has {rss / MEGABYTE:.0f} MB resident")
        assert rss <= BUDGET
        for name, own in self.stand.resident().items():
            self.tell(f"{name} has {own / MEGABYTE:.0f} MB resident")

    def delete(self):
        self.osc("database", "instance", "delete", self.id)
        self.user.gone(self.id)


@pytest.fixture(params=["mariadb", "postgresql"])
def story(request, stand):
    made = Story(stand, request.param)
    yield made
    if made.id and made.user.show(made.id) is not None:
        made.delete()


def test_a_life(story):
    story.create_outside()
    story.wait()
    story.tell("it serves")
    with story.enter() as line:
        ask(line, "CREATE TABLE kept (what VARCHAR(20))")
        ask(line, "INSERT INTO kept VALUES ('kept')")
    story.tell("a row is written from outside, over TLS")
    osc, id = story.osc, story.id
    osc("database", "db", "create", id, "more")
    osc("database", "user", "create", id, "bob", PASSWORD, "--databases", "more")
    with story.enter("bob", database="more") as line:
        assert ask(line, "SELECT 1")[0][0] == 1
    osc("database", "user", "delete", id, "bob")
    osc("database", "db", "delete", id, "more")
    osc("database", "instance", "restart", id)
    story.wait()
    story.tell("restarted")
    osc("database", "instance", "resize", "volume", id, "2")
    assert story.wait()["volume"]["size"] == 2
    story.tell("its volume has grown while it served")
    osc("database", "instance", "resize", "flavor", id, LARGE)
    story.wait()
    story.tell("its server is larger")
    with story.enter() as line:
        assert ask(line, "SELECT what FROM kept")[0][0] == "kept"
    story.weigh()
    story.delete()
    story.tell("gone")


@pytest.mark.parametrize("story", NEXT, indirect=True)
def test_another_version(story):
    story.create_outside()
    story.wait()
    story.tell("it serves")
    with story.enter() as line:
        ask(line, "CREATE TABLE kept (what VARCHAR(20))")
        ask(line, "INSERT INTO kept VALUES ('kept')")
    story.upgrade()
    story.delete()
    story.tell("gone")


def test_a_taskmanager_dies_during_create_and_delete(story):
    story.create_outside()
    for name in TASKMANAGERS:
        until("a server was asked for", lambda: made(story, "boot_server"), PATIENCE)
        story.stand.kill(name)
        story.stand.run(name)
    story.wait()
    story.osc("database", "instance", "delete", story.id)
    for name in TASKMANAGERS:
        story.stand.kill(name)
        story.stand.run(name)
    story.user.gone(story.id)


def test_the_broker_dies_during_create_and_delete(story):
    story.create()
    until("a server was asked for", lambda: made(story, "boot_server"), PATIENCE)
    story.stand.break_broker()
    shown = story.wait()
    line = story.user.connect(shown, "ada", PASSWORD, "shop")
    with contextlib.closing(line):
        assert ask(line, "SELECT 1")[0][0] == 1
    story.osc("database", "instance", "delete", story.id)
    story.stand.break_broker()
    story.user.gone(story.id)


def made(story, step):
    """Whether the operation has come as far."""
    sql = (
        "SELECT 1 FROM operations o JOIN operation_steps s ON s.operation_id = o.id "
        "WHERE o.object_id = %(id)s AND s.name = %(step)s"
    )
    return story.stand.rows(sql, id=story.id, step=step)
