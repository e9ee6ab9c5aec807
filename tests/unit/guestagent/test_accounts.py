# SPDX-License-Identifier: Apache-2.0
"""What a guest does for a user who waits: with a good ticket, all or nothing."""

import pytest

from tests.tenants import Engine
from trove import errors
from trove.datastores import registry
from trove.guestagent import accounts
from trove.guestagent.accounts import GIVEN, GOOD, Desk, unsealer
from trove.rpc import sealing
from trove.rpc.messages import DatabaseOrder, Sealed, UserShown


class Scene:
    """A desk over accounts in memory, and a clock."""

    def __init__(self):
        self.now, self.ready = 100.0, True
        self.private, self.public = sealing.keypair()
        self.engine = Engine(registry.get("mariadb").naming)
        self.desk = Desk(
            lambda: self.engine,
            unsealer(lambda: self.private),
            lambda: self.ready,
            clock=lambda: self.now,
        )

    def change(self, method, *arguments):
        return getattr(self.desk, method)(self.desk.tickets.give(), *arguments)

    def sealed(self, **secret):
        return Sealed(sealing.seal(self.public, secret))

    def user(self, name, *databases, password="p", host="%"):
        return {
            "name": name,
            "host": host,
            "password": password,
            "databases": list(databases),
        }


@pytest.fixture
def scene():
    return Scene()


def test_a_ticket_is_good_once_and_not_for_long(scene):
    desk = scene.desk
    ticket = desk.tickets.give()
    assert not desk.tickets.made(ticket)
    desk.create_databases(ticket, [DatabaseOrder("shop")])
    assert desk.tickets.made(ticket)
    for bad in (ticket, "never-given"):
        with pytest.raises(errors.Forbidden):
            desk.delete_database(bad, "shop")
    late = desk.tickets.give()
    scene.now += GOOD + 1
    with pytest.raises(errors.Forbidden):
        desk.delete_database(late, "shop")
    assert desk.databases(10, None) == ("shop",)


def test_tickets_are_few(scene):
    first = scene.desk.tickets.give()
    for _ in range(GIVEN):
        scene.desk.tickets.give()
    with pytest.raises(errors.Forbidden):
        scene.desk.disable_root(first)


def test_all_of_a_create_or_nothing(scene):
    scene.change("create_databases", [DatabaseOrder("shop")])
    with pytest.raises(errors.Invalid, match="already exists"):
        scene.change("create_databases", [DatabaseOrder("new"), DatabaseOrder("shop")])
    scene.change("create_users", scene.sealed(users=[scene.user("ann", "shop")]))
    for bad in (scene.user("ann"), scene.user("eve", "none")):
        with pytest.raises(errors.Invalid):
            users = [scene.user("bob"), bad]
            scene.change("create_users", scene.sealed(users=users))
    assert scene.desk.databases(10, None) == ("shop",)
    assert scene.desk.users(10, None) == (UserShown("ann", "%", ("shop",)),)


def test_all_of_a_change_or_nothing(scene):
    users = [scene.user("ann"), scene.user("bob")]
    scene.change("create_users", scene.sealed(users=users))
    new = {"name": "ann", "host": "%", "new": {"password": "q"}}
    for other in (
        {"name": "none", "host": "%", "new": {"password": "q"}},
        {"name": "bob", "host": "%", "new": {"name": "ann"}},
    ):
        with pytest.raises((errors.NotFound, errors.Invalid)):
            scene.change("change_users", scene.sealed(users=[new, other]))
    assert scene.engine.accounts.rows["ann", "%"].password == "p"
    scene.change("change_users", scene.sealed(users=[new]))
    assert scene.engine.accounts.rows["ann", "%"].password == "q"


def test_what_is_asked_again_may_have_been_done(scene):
    """Wholly, in part, or not at all: afterwards it is as it was ordered."""
    shop, new = DatabaseOrder("shop"), DatabaseOrder("new")
    scene.change("create_databases", [shop])
    scene.change("create_databases", [shop, new], True)
    assert scene.desk.databases(10, None) == ("new", "shop")
    users = [scene.user("ann", "shop"), scene.user("bob", password="q")]
    scene.change("create_users", scene.sealed(users=users[:1]))
    scene.change("create_users", scene.sealed(users=users), True)
    assert scene.desk.user("ann", "%").databases == ("shop",)
    renaming = [
        {"name": "ann", "host": "%", "new": {"name": "eve", "password": "r"}},
        {"name": "bob", "host": "%", "new": {"password": "r"}},
    ]
    for again in (False, True):
        scene.change("change_users", scene.sealed(users=renaming), again)
        rows = scene.engine.accounts.rows
        assert set(rows) == {("eve", "%"), ("bob", "%")}
        assert {row.password for row in rows.values()} == {"r"}
    none = [{"name": "none", "host": "%", "new": {"name": "other"}}]
    with pytest.raises(errors.NotFound):
        scene.change("change_users", scene.sealed(users=none), True)


def test_grants_and_root(scene):
    scene.change("create_databases", [DatabaseOrder("shop")])
    scene.change("create_users", scene.sealed(users=[scene.user("ann")]))
    with pytest.raises(errors.DatabaseNotFound):
        scene.change("grant", "ann", "%", ("none",))
    scene.change("grant", "ann", "%", ("shop",))
    assert scene.desk.user("ann", "%").databases == ("shop",)
    scene.change("revoke", "ann", "%", "shop")
    scene.change("delete_user", "ann", "%")
    assert scene.desk.user("ann", "%") is None
    scene.change("enable_root", scene.sealed(password="secret"))
    assert scene.engine.accounts.root == "secret"
    scene.change("disable_root")
    assert scene.engine.accounts.root is None


def test_what_was_sealed_for_another_or_is_not_an_order_is_refused(scene):
    other = sealing.seal(sealing.keypair()[1], {"password": "p"})
    for sealed in (Sealed(other), Sealed("AAAA"), scene.sealed(users=[{}])):
        with pytest.raises(errors.Invalid):
            scene.change("create_users", sealed)


def test_a_guest_that_is_not_prepared_says_so(scene):
    scene.ready = False
    with pytest.raises(errors.Conflict):
        scene.desk.databases(10, None)


def test_a_page_is_as_long_as_a_message_may_be(scene):
    names = [f"{number:04}{'x' * 50}" for number in range(1000)]
    scene.engine.accounts.names |= set(names)
    found, after = [], None
    while page := scene.desk.databases(1000, after):
        assert sum(map(len, page)) < accounts.ROOM
        found += page
        after = page[-1]
    assert found == names
