# SPDX-License-Identifier: Apache-2.0
"""INV-8: an Idempotency-Key is honoured by every request that changes something.

The routes are those that are declared: one that is added is in these tests at once.
"""

import typing

import pytest
import sqlalchemy as sa
import webob

from tests.api.test_attacks_projects import _fill, _rows
from tests.api.test_policy_matrix import BODIES, EXPECTED, NEW_MODULE
from tests.api.world import World
from trove.api import policy
from trove.api.resources import TABLE
from trove.api.table import Route
from trove.db.queries import deeds
from trove.db.tables import DatastoreVersion, Deed, Event, GuestReport
from trove.model.states import Task
from trove.taskmanager.housekeeping import Housekeeping

KEY = {"Idempotency-Key": "k"}
OTHER = {"configuration": {"name": "another", "values": {}}}
TOLD_ONCE = "instance:extension:root:create"
"""Its password cannot be told again: see below."""

CHANGING = [
    (route, rule)
    for route in TABLE.routes
    if route.op.method != "GET"
    for rule, _ in policy.rules_of(route.op)
]
GUESTS = [
    (route, rule)
    for route, rule in CHANGING
    if rule.startswith("instance:extension:")
    # the two paths to make users, as clients ask for it
    and not (rule.endswith("user:create") and "{user}" in route.path)
]


def named(it: typing.Any) -> str:
    return it.shown if isinstance(it, Route) else it


class Caller:
    """Of one route, ready to ask."""

    def __init__(self, world: World, route: Route, rule: str) -> None:
        self.world, self.route, self.rule = world, route, rule
        self.who = "member" if EXPECTED[rule]["member"] == "ok" else "admin"
        self.id = world.furnished()
        ids = {"id": self.id}
        if "configurations/{id}" in route.path:
            ids["id"] = world.group()
        elif route.path.startswith("modules/{id}"):
            ids["id"] = world.module()
        elif route.resource.name == "version":
            ids["id"] = world.versions["mariadb-10.6"]
        self.path = _fill(world, route, ids)

    def ask(self, **about: typing.Any) -> webob.Response:
        answer = self.world.ask(
            self.route.op.method,
            self.path,
            BODIES.get(self.rule),
            caller=self.who,
            **{"headers": KEY, **about},
        )
        assert answer.status_int < 500 or answer.status_int in (501, 503), answer.text
        return answer


@pytest.fixture
def caller(world: World, route: Route, rule: str) -> Caller:
    return Caller(world, route, rule)


@pytest.mark.parametrize("route, rule", CHANGING, ids=named)
def test_the_same_request_once_more_is_the_same_answer(
    world: World, caller: Caller, rule: str
) -> None:
    first = caller.ask()
    before, asked = _rows(world), list(world.desks.asked)
    again = caller.ask()
    assert _rows(world) == before, "it was done twice"
    if rule == TOLD_ONCE:
        assert again.status_int == 422 and "told once" in again.text
        assert world.desks.asked == asked
        return
    assert (again.status_int, again.body) == (first.status_int, first.body)
    if first.status_int < 400 and rule != "instance:guest_log_action":  # a look
        assert world.desks.asked == asked


@pytest.mark.parametrize("route, rule", CHANGING, ids=named)
def test_another_request_with_the_key_is_refused(world: World, caller: Caller) -> None:
    """Whatever it asks for; one that was refused has not used the key up."""
    done = caller.ask().status_int < 400
    before = _rows(world)
    answer = world.ask("POST", "configurations", OTHER, caller=caller.who, headers=KEY)
    if done:
        assert answer.status_int == 409, answer.text
        assert _rows(world) == before
    else:
        assert answer.status_int == 200, answer.text


def test_xml_says_the_same_as_json(world: World) -> None:
    body = {"configuration": {"name": "fast", "values": {"wait_timeout": 60}}}
    made = world.ask("POST", "configurations", body, headers=KEY)
    again = world.ask("POST", "configurations", body, headers=KEY, xml=True)
    assert again.status_int == 200, again.text
    assert made.json["configuration"]["id"] in again.text


def test_a_key_is_its_projects_own(world: World) -> None:
    body = {"module": NEW_MODULE}
    mine = world.ask("POST", "modules", body, headers=KEY).json["module"]["id"]
    theirs = world.ask("POST", "modules", body, headers=KEY, caller="stranger")
    assert theirs.json["module"]["id"] != mine
    id, path = world.active(), "instances/{}/action"
    admins = {"caller": "admin", "headers": {"Idempotency-Key": "a"}}
    members = {"headers": {"Idempotency-Key": "a"}}
    for about in (admins, admins, members, members):
        answer = world.ask("POST", path.format(id), {"restart": {}}, **about)
        assert answer.status_int == 202, answer.text
        world.finish(id)
    kinds = [each.kind for each in world.operations(id)]
    assert kinds == ["instance.create", "instance.restart", "instance.restart"]


def test_what_is_over_is_answered_when_the_instance_is_gone(world: World) -> None:
    id = world.furnished()
    path = f"instances/{id}/databases/shop"
    assert world.ask("DELETE", path, headers=KEY).status_int == 202
    world.change(id, deleted_at=world.clock, task=Task.DELETING)
    assert world.ask("DELETE", path, headers=KEY).status_int == 202
    assert world.ask("DELETE", path).status_int == 404


# -- cut off --------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


class Books:
    """A database for whoever is still alive."""

    def __init__(self, database: typing.Any) -> None:
        self._database, self.dead = database, True

    def run(self, *given: typing.Any) -> typing.Any:
        if self.dead:
            raise Killed()
        return self._database.run(*given)


def events(world: World, id: str) -> list[str]:
    """But for those of what came before."""
    with world.database.reading() as tx:
        kinds = tx.scalars(
            sa.select(Event.kind).where(Event.object_id == id).order_by(Event.seq)
        ).all()
    return list(kinds)[2:]


def heard(world: World) -> None:
    """The guests have just reported."""
    with world.database.transaction() as tx:
        tx.execute(sa.update(GuestReport).values(received_at=world.clock))


def truth(world: World, id: str) -> typing.Any:
    there = world.desks.accounts[id]
    rows = {who: (row.password, set(row.databases)) for who, row in there.rows.items()}
    return set(there.names), rows, bool(there.root)


@pytest.mark.parametrize("route, rule", GUESTS, ids=named)
@pytest.mark.parametrize("done", [False, True], ids=["asked", "done"])
def test_the_api_dies_and_the_request_comes_again(
    world: World, caller: Caller, rule: str, done: bool
) -> None:
    """INV-8, 19: before the guest is asked, or after it did it; one event."""
    id = caller.id
    _die(world, caller, done)
    assert events(world, id) == []
    soon = caller.ask()
    assert soon.status_int == 503 and "under way" in soon.text
    world.clock += deeds.BOUND + 1
    heard(world)
    again = caller.ask()
    assert again.status_int < 300, again.text
    (kind,) = events(world, id)
    assert not kind.endswith("unknown")
    wanted = truth(world, id)
    if rule == TOLD_ONCE:
        assert world.desks.accounts[id].root == again.json["user"]["password"]
    caller.ask()
    assert truth(world, id) == wanted
    world.clock += deeds.LATE
    Housekeeping(world.database, silent_after=1e9).round()
    assert events(world, id) == [kind]


@pytest.mark.parametrize("route, rule", GUESTS, ids=named)
def test_the_api_dies_and_nobody_comes(world: World, caller: Caller, rule: str) -> None:
    """INV-19: that nobody knows what became of it is an event, seen by its owner."""
    id = caller.id
    _die(world, caller, True)
    keeping = Housekeeping(world.database, silent_after=1e9)
    keeping.round()
    assert events(world, id) == [], "it may still be under way"
    world.clock += deeds.LATE + 1
    keeping.round()
    keeping.round()
    (kind,) = events(world, id)
    assert kind.endswith(".unknown")
    told = world.ask("GET", f"instances/{id}/events").json["events"][-1]
    assert told["type"] == kind and told["details"]["user"]
    heard(world)
    assert caller.ask().status_int < 300
    assert events(world, id) == [kind, kind.removesuffix(".unknown")]


def _die(world: World, caller: Caller, done: bool) -> None:
    """Before the guest is asked, or when it has answered."""
    books: typing.Any = Books(world.database)
    desks: typing.Any = world.desks
    world.services.books = books
    if not done:
        desks.relayed = lambda *given: books.run()
    with pytest.raises(Killed):
        caller.ask()
    books.dead = False
    if not done:
        del desks.relayed


def test_a_create_is_answered_again_when_what_it_was_made_of_is_gone(
    world: World,
) -> None:
    """The flavor, the image, and the datastore version."""
    body = {"instance": {"name": "db", "flavorRef": "2", "volume": {"size": 1}}}
    first = world.ask("POST", "instances", body, headers=KEY)
    assert first.status_int == 200, first.text
    world.cloud.world.flavors.clear()
    world.cloud.world.images.clear()
    version = f"mgmt/datastore-versions/{world.versions['mariadb-10.11']}"
    answer = world.ask("PATCH", version, {"active": False}, caller="admin")
    assert answer.status_int == 202, answer.text
    again = world.ask("POST", "instances", body, headers=KEY)
    assert (again.status_int, again.body) == (first.status_int, first.body)
    another = world.ask("POST", "instances", body)
    assert another.status_int == 400, "it could not be made today"
    other = {"instance": {**body["instance"], "name": "other"}}
    assert world.ask("POST", "instances", other, headers=KEY).status_int == 409


def test_a_refusal_is_no_change_and_the_key_may_come_again(world: World) -> None:
    """A user that is another's is not taken for the one that was asked for."""
    id = world.furnished()
    body = {"users": [{"name": "ann", "password": "mine"}]}
    for _ in "ab":
        answer = world.ask("POST", f"instances/{id}/users", body, headers=KEY)
        assert answer.status_int == 400
    assert world.desks.accounts[id].rows["ann", "%"].password == "p"
    assert events(world, id) == []
    world.ask("DELETE", f"instances/{id}/users/ann")
    answer = world.ask("POST", f"instances/{id}/users", body, headers=KEY)
    assert answer.status_int == 202
    assert events(world, id)[1:] == ["instance.users_create"]


def test_a_guest_that_said_nothing_is_asked_again(world: World) -> None:
    id = world.furnished()
    world.desks.silent.add(id)
    path, body = f"instances/{id}/databases", {"databases": [{"name": "new"}]}
    assert world.ask("POST", path, body, headers=KEY).status_int == 503
    world.desks.silent.clear()
    world.clock += deeds.BOUND + 1
    assert world.ask("POST", path, body, headers=KEY).status_int == 202
    assert world.desks.accounts[id].names == {"shop", "new"}


def test_root_with_a_password_of_the_callers_is_answered_again(world: World) -> None:
    """He says it himself: nothing is told that he does not know."""
    id = world.active()
    ask = {"body": {"password": "of-my-own"}, "headers": KEY}
    for _ in "ab":
        answer = world.ask("POST", f"instances/{id}/root", **ask)
        assert answer.json["user"]["password"] == "of-my-own"
    assert world.desks.asked == ["enable_root"]
    with world.database.reading() as tx:
        (deed,) = tx.scalars(sa.select(Deed))
    assert "of-my-own" not in repr(vars(deed))
    assert "of-my-own" not in _rows(world)


def test_a_key_is_known_when_its_upgrade_is_over(world: World) -> None:
    """The instance has the version already, which a new request is told."""
    newer = {
        "name": "11.8",
        "datastore_name": "mariadb",
        "datastore_manager": "mariadb",
        "version": "11.8.3",
        "image_tags": ["trove", "guest"],
        "active": True,
    }
    path = "mgmt/datastore-versions"
    world.ask("POST", path, {"version": newer}, caller="admin")
    id, body = world.active(), {"instance": {"datastore_version": "11.8"}}
    first = world.ask("PATCH", f"instances/{id}", body, headers=KEY)
    assert first.status_int == 202, first.text
    world.finish(id)
    with world.database.reading() as tx:
        named = DatastoreVersion.name == "11.8"
        version = tx.scalars(sa.select(DatastoreVersion.id).where(named)).one()
    world.change(id, version_id=version)
    again = world.ask("PATCH", f"instances/{id}", body, headers=KEY)
    assert (again.status_int, again.body) == (first.status_int, first.body)
    assert [one.kind for one in world.operations(id)].count("instance.upgrade") == 1
    new = world.ask("PATCH", f"instances/{id}", body)
    assert new.status_int == 400 and "already" in new.text
