# SPDX-License-Identifier: Apache-2.0
"""A database's whole life on a real OpenStack, by ``openstack database``.

On a network of the user's with a public address, which is connected to from outside.
"""

import contextlib
import time

import pytest

from tests.openstack.stand import (
    LARGE,
    MORE,
    NEXT,
    PATIENCE,
    SMALL,
    TASKMANAGERS,
    outside,
    until,
)
from tests.system import keys
from tests.system.clients import Openstack
from tests.system.deployment import VERSIONS, User, ask
from trove.datastores import registry
from trove.datastores.spec import Entrance

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

    databases = ("--databases", "shop")
    """What is ordered of them."""

    def create(self, *more):
        """On the network of the guests alone, unless ``more`` names another one."""
        made = self.osc.shown(
            *("database", "instance", "create", self.name),
            *("--flavor", SMALL, "--size", "1", "--datastore", self.datastore),
            *("--datastore-version", (VERSIONS | MORE)[self.datastore]),
            *(*self.databases, "--users", f"ada:{PASSWORD}"),
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

    def write(self):
        with self.enter() as line:
            ask(line, "CREATE TABLE kept (what VARCHAR(20))")
            ask(line, "INSERT INTO kept VALUES ('kept')")

    def read(self):
        with self.enter() as line:
            assert ask(line, "SELECT what FROM kept")[0][0] == "kept"

    def share(self):
        """Another user comes, and goes."""
        osc, id = self.osc, self.id
        osc("database", "db", "create", id, "more")
        osc("database", "user", "create", id, "bob", PASSWORD, "--databases", "more")
        with self.enter("bob", database="more") as line:
            assert ask(line, "SELECT 1")[0][0] == 1
        osc("database", "user", "delete", id, "bob")
        osc("database", "db", "delete", id, "more")

    def upgrade(self):
        """To the next Debian."""
        words = ("database", "instance", "upgrade", self.id, NEXT[self.datastore])
        self.osc(*words)
        assert self.wait()["datastore"]["version"] == NEXT[self.datastore]
        self.tell("its server is one of the next Debian")
        with self.enter() as line:
            assert ask(line, "SELECT VERSION()")[0][0].startswith(NEXT[self.datastore])
        self.read()

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


class Keys(Story):
    """One of a store that has no databases."""

    databases = ()

    def enter(self, user="ada", password=PASSWORD):
        ip = outside(self.user, self.id)["ip"][0]
        port = registry.get(self.datastore).port
        where = Entrance(ip, port, user, password, "", self.user.authority)
        return keys.opened(where)

    def write(self):
        with self.enter() as line:
            line.set("what", "kept")

    def read(self):
        with self.enter() as line:
            assert line.get("what") == "kept"

    def share(self):
        self.osc("database", "user", "create", self.id, "bob", PASSWORD)
        with self.enter("bob") as line:
            assert line.get("what") == "kept"
        self.osc("database", "user", "delete", self.id, "bob")


FIRST = ("mariadb", "postgresql")


def pytest_generate_tests(metafunc):
    """``--all-datastores``: a whole life of the others too."""
    stories = FIRST
    if metafunc.function is test_a_life and metafunc.config.getoption("all_datastores"):
        stories = (*FIRST, *MORE)
    if metafunc.function is test_another_version:
        stories = tuple(NEXT)
    metafunc.parametrize("story", stories, indirect=True)


@pytest.fixture
def story(request, stand):
    plain = not registry.get(request.param).can.databases
    made = (Keys if plain else Story)(stand, request.param)
    yield made
    if made.id and made.user.show(made.id) is not None:
        made.delete()


def test_a_life(story):
    story.create_outside()
    story.wait()
    story.tell("it serves")
    story.write()
    story.tell("a row is written from outside, over TLS")
    story.share()
    osc, id = story.osc, story.id
    osc("database", "instance", "restart", id)
    story.wait()
    story.tell("restarted")
    osc("database", "instance", "resize", "volume", id, "2")
    assert story.wait()["volume"]["size"] == 2
    story.tell("its volume has grown while it served")
    osc("database", "instance", "resize", "flavor", id, LARGE)
    story.wait()
    story.tell("its server is larger")
    story.read()
    story.weigh()
    story.delete()
    story.tell("gone")


def test_another_version(story):
    story.create_outside()
    story.wait()
    story.tell("it serves")
    story.write()
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
