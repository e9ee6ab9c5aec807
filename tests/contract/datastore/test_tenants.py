# SPDX-License-Identifier: Apache-2.0
"""Looking at databases and users, changing them, and root: engines and the stand-in.

The stand-in of the API's and the functional suite's guests is one more datastore here,
with every datastore's naming.
"""

import contextlib
import importlib

import hypothesis
import hypothesis.strategies as st
import pytest

from tests.contract.datastore import clients
from tests.contract.datastore.test_accounts import HOSTILE, refuses_databases
from tests.tenants import Engine
from trove import errors
from trove.datastores import registry
from trove.datastores.protocol import Account, Change, Database

FOREVER = 10_000


class Served:
    """The accounts under test, and who may enter."""

    def __init__(self, accounts, naming, enters, lab=None):
        self.accounts, self.naming, self.enters = accounts, naming, enters
        self.lab = lab
        self.databases = lab is None or lab.can.databases
        self.no_grant = errors.NotFound if self.databases else errors.NotSupported

    def make(self, name, password, *databases, host="%"):
        databases = self.of(*databases)
        self.accounts.create_databases([Database(each) for each in databases])
        self.accounts.create_accounts([Account(name, host, databases, password)])

    def of(self, *databases):
        """These databases, or none where there are none."""
        return databases if self.databases else ()

    def nameable(self, *texts):
        """Those that may be names here."""
        unnamed = set(self.naming.unnamed)
        return [text for text in texts if not set(text) & unnamed]

    def names(self):
        return self.accounts.databases(FOREVER) if self.databases else []

    def users(self):
        return self.accounts.users(FOREVER)

    def clear(self):
        for user in self.users():
            self.accounts.delete_account(user.name, user.host)
        for name in self.names():
            self.accounts.delete_database(name)
        self.accounts.disable_root()


def _real(lab):
    def enters(name, password, database):
        try:
            with lab.client.login(name, password, database) as run:
                return lab.client.answers(run)
        except lab.refused:
            return False

    return Served(lab.engine.accounts, registry.get(lab.name).naming, enters, lab)


@pytest.fixture(scope="module")
def engine(lab):
    return _real(lab)


@pytest.fixture(scope="module", params=clients.known())
def stand_in(request):
    naming = registry.get(request.param).naming
    made = Engine(naming).accounts
    return Served(made, naming, made.enters)


class Promises:
    """What an engine and the stand-in have in common."""

    def test_nothing_is_listed_of_what_is_the_services(self, served):
        assert served.names() == []
        assert served.users() == []
        for name in ("root", "postgres", "mysql", "trove_admin", "mariadb.sys"):
            assert served.accounts.user(name) is None
            with pytest.raises(errors.NotFound):
                served.accounts.delete_account(name)
            with pytest.raises(errors.NotFound):
                served.accounts.change_account(name, "%", Change(password="p"))
            with pytest.raises(served.no_grant):
                served.accounts.grant(name, "%", [])
        for name in served.of(
            "mysql", "postgres", "trove_internal", "sys", "template1"
        ):
            assert not served.accounts.has_database(name)
            with pytest.raises((errors.NotFound, errors.Invalid)):
                served.accounts.delete_database(name)

    def test_lists_are_in_order_and_in_pages(self, served):
        names = served.nameable(
            *["B", "a", "a b", "a%", "a%41", "aA", "b_", "b\\", "z'", "é", "漢"]
        )
        for name in names:
            served.make(name, "p", name)
        assert served.names() == sorted(served.of(*names))
        assert [user.name for user in served.users()] == sorted(
            names, key=lambda name: f"{name}@%"
        )
        for of, look in (
            *served.of((served.names(), served.accounts.databases)),
            (
                [f"{user.name}@%" for user in served.users()],
                lambda limit, after: [
                    f"{user.name}@{user.host}"
                    for user in served.accounts.users(limit, after)
                ],
            ),
        ):
            found, after = [], None
            while page := look(3, after):
                found += page
                after = page[-1]
            assert found == of

    def test_a_marker_is_any_text(self, served):
        served.make("ann", "p", "shop")
        for text in [*HOSTILE, "😀", "a" * 3000, "\u007f", "' OR 1=1 -- ", "\\"]:
            after = [name for name in ["shop"] if name > text]
            if served.databases:
                assert served.accounts.databases(10, text) == after
            named = [user.name for user in served.accounts.users(10, text)]
            assert named == (["ann"] if "ann@%" > text else [])

    @pytest.mark.parametrize("text", HOSTILE, ids=ascii)
    def test_a_hostile_name_is_found_changed_and_deleted_like_any_other(
        self, served, text
    ):
        served.make("other", "other password", "otherdb")
        if not served.nameable(text):
            with pytest.raises(errors.Invalid, match="stored"):
                served.make(text, text)
            with pytest.raises(errors.Invalid, match="stored"):
                served.accounts.change_account("other", "%", Change(name=text))
            assert served.accounts.user(text) is None
            return
        served.make(text, text, text)
        assert served.accounts.user(text) == Account(text, "%", served.of(text))
        assert served.enters(text, text, text)
        if served.databases:
            assert served.accounts.has_database(text)
            served.accounts.grant(text, "%", ["otherdb"])
            assert served.enters(text, text, "otherdb")
            served.accounts.revoke(text, "%", text)
            assert not served.enters(text, text, text)
        served.accounts.change_account(text, "%", Change(password=f"new {text}"))
        assert not served.enters(text, text, "otherdb")
        assert served.enters(text, f"new {text}", "otherdb")
        served.accounts.delete_account(text)
        if served.databases:
            served.accounts.delete_database(text)
        assert not served.enters(text, f"new {text}", "otherdb")
        assert served.names() == [*served.of("otherdb")]
        assert served.users() == [Account("other", "%", served.of("otherdb"))]
        assert served.enters("other", "other password", "otherdb")

    def test_what_is_not_there_is_not_found(self, served):
        served.make("ann", "p", "shop")
        served.accounts.create_databases(
            [Database(each) for each in served.of("empty")]
        )
        accounts = served.accounts
        for deed in (
            lambda: accounts.delete_account("none"),
            lambda: accounts.change_account("none", "%", Change(password="p")),
            lambda: accounts.delete_account("ann", "10.0.0.1"),
            *served.of(
                lambda: accounts.delete_database("none"),
                lambda: accounts.grant("none", "%", ["shop"]),
                lambda: accounts.revoke("none", "%", "shop"),
                lambda: accounts.revoke("ann", "%", "empty"),
                lambda: accounts.revoke("ann", "%", "none"),
            ),
        ):
            with pytest.raises(errors.NotFound):
                deed()
        assert accounts.user("none") is None
        assert accounts.user("ann", "10.0.0.1") is None
        assert served.users() == [Account("ann", "%", served.of("shop"))]

    def test_a_new_name_keeps_password_and_grants_and_must_be_free(self, served):
        served.make("ann", "ann password", "shop")
        served.make("bob", "bob password", "shop")
        with pytest.raises(errors.Invalid):
            served.accounts.change_account("ann", "%", Change(name="bob"))
        assert served.enters("bob", "bob password", "shop")
        served.accounts.change_account("ann", "%", Change(name="eve"))
        assert served.enters("eve", "ann password", "shop")
        assert not served.enters("ann", "ann password", "shop")
        assert served.accounts.user("eve").databases == served.of("shop")
        with pytest.raises(errors.Invalid):
            served.accounts.change_account("eve", "%", Change(name="root"))

    def test_hosts_where_there_are_hosts(self, served):
        if not served.naming.hosts:
            served.make("ann", "p", "shop")
            with pytest.raises(errors.Invalid):
                served.accounts.change_account("ann", "%", Change(host="10.0.0.1"))
            return
        served.make("ann", "p", "shop")
        served.make("ann", "q", "shop", host="10.0.%")
        assert [(user.name, user.host) for user in served.users()] == [
            ("ann", "%"),
            ("ann", "10.0.%"),
        ]
        served.accounts.change_account("ann", "10.0.%", Change(host="10.1.%"))
        assert served.accounts.user("ann", "10.0.%") is None
        assert served.accounts.user("ann", "10.1.%").databases == ("shop",)
        served.accounts.delete_account("ann", "10.1.%")
        assert served.enters("ann", "p", "shop")

    def test_a_database_that_is_made_again_is_nobodys(self, served):
        if not served.databases:
            refuses_databases(served.lab)
            return
        served.make("ann", "p", "shop", "a_b")
        served.accounts.delete_database("shop")
        served.accounts.delete_database("a_b")
        assert served.accounts.user("ann").databases == ()
        served.accounts.create_databases([Database("shop"), Database("a_b")])
        assert not served.enters("ann", "p", "shop")
        assert not served.enters("ann", "p", "a_b")

    def test_root_comes_and_goes(self, served):
        served.make("ann", "p", "shop")
        assert not served.enters("root", "first password", "shop")
        served.accounts.enable_root("first password")
        assert served.enters("root", "first password", "shop")
        served.accounts.enable_root("second password")
        assert not served.enters("root", "first password", "shop")
        assert served.enters("root", "second password", "shop")
        served.accounts.create_databases(
            [Database(each) for each in served.of("later")]
        )
        assert served.enters("root", "second password", "later")
        assert [user.name for user in served.users()] == ["ann"]
        served.accounts.disable_root()
        served.accounts.disable_root()
        assert not served.enters("root", "second password", "shop")
        assert served.enters("ann", "p", "shop")


class TestEngine(Promises):
    """Each datastore's engine."""

    @pytest.fixture
    def served(self, engine):
        engine.clear()
        return engine


class TestStandIn(Promises):
    """What stands in for it."""

    @pytest.fixture
    def served(self, stand_in):
        stand_in.clear()
        return stand_in


# -- engines alone: what is in databases ----------------------------------------------


def test_who_is_in_is_sent_away(engine):
    engine.clear()
    engine.make("ann", "p", "shop")
    lab = engine.lab
    for leave in (
        lambda: engine.accounts.delete_account("ann"),
        lambda: engine.accounts.disable_root(),
    ):
        engine.accounts.enable_root("p")
        engine.make("ann", "p", "shop")
        name = "ann" if leave.__code__.co_names[-1] == "delete_account" else "root"
        with (
            contextlib.suppress(lab.refused),
            lab.client.login(name, "p", "shop") as run,
        ):
            leave()
            with pytest.raises(lab.refused):
                lab.client.answers(run)


def test_what_a_deleted_user_made_is_anothers(engine):
    engine.clear()
    lab = engine.lab
    engine.make("ann", "p", "shop")
    engine.make("bob", "p", "shop")
    with lab.client.login("ann", "p", "shop") as run:
        lab.client.make(run, "kept")
        lab.client.put(run, "kept", 1)
    engine.accounts.delete_account("ann")
    with lab.client.login("bob", "p", "shop") as run:
        assert lab.client.numbers(run, "kept") == [1]
        lab.client.alter(run, "kept")
    engine.accounts.delete_account("bob")
    engine.make("eve", "p", "shop")
    with lab.client.login("eve", "p", "shop") as run:
        assert lab.client.numbers(run, "kept") == [1]
        lab.client.drop(run, "kept")


def test_root_is_not_the_machines(engine):
    """It reads no file, stops no server, and is not the agent's account."""
    engine.clear()
    engine.make("ann", "p", "shop")
    engine.accounts.enable_root("root password")
    lab = engine.lab
    with lab.client.login("root", "root password", "shop") as run:
        lab.client.make(run, "roots")
        for statement in lab.client.beyond_root:
            with contextlib.suppress(lab.refused):
                assert run(statement) == [(None,)], statement
    with lab.client.login("ann", "p", "shop") as run:
        lab.client.put(run, "roots", 1)
    engine.accounts.disable_root()
    with lab.client.login("ann", "p", "shop") as run:
        assert lab.client.numbers(run, "roots") == [1]


def test_a_list_costs_the_same_however_long(engine):
    engine.clear()
    counts = []
    engine.accounts.create_databases([Database(each) for each in engine.of("shop")])
    for size in (1, 20, 40):
        for number in range(size):
            engine.make(f"user{number:03}", "p", *["shop"] * (number < 2))
        with _counted(engine.lab) as statements:
            assert len(engine.users()) == size
            assert engine.names() == [*engine.of("shop")]
        counts.append(len(statements))
    assert counts[0] == counts[1] == counts[2]


@contextlib.contextmanager
def _counted(lab):
    """The statements that its conversations say."""
    said = []
    name, verb = lab.client.spoken
    agent = registry.get(lab.name).agent
    talk = importlib.import_module(f"{agent}.{name}").Talk
    plain = getattr(talk, verb)

    def counted(self, *words, **how):
        said.append(words)
        return plain(self, *words, **how)

    setattr(talk, verb, counted)
    try:
        yield said
    finally:
        setattr(talk, verb, plain)


@hypothesis.settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
@hypothesis.given(
    st.text(min_size=1, max_size=30),
    st.text(min_size=1, max_size=30),
    st.text(min_size=1, max_size=30),
    st.text(min_size=1, max_size=60),
)
def test_any_legal_name_and_password(engine, user, new, database, password):
    """S5: whatever is legal is exactly that, in every statement there is."""
    naming = engine.naming
    try:
        for check, text in (
            (naming.check_user, user),
            (naming.check_user, new),
            (naming.check_database, database),
            (naming.check_password, password),
        ):
            check(text)
    except errors.Invalid:
        hypothesis.reject()
    hypothesis.assume(user != new and user.casefold() != new.casefold())
    engine.clear()
    engine.make("other", "other password", "otherdb")
    engine.make(user, "first", database)
    engine.accounts.change_account(user, "%", Change(name=new, password=password))
    assert engine.accounts.user(user) is None
    assert engine.accounts.user(new) == Account(new, "%", engine.of(database))
    assert engine.enters(new, password, database)
    if engine.databases:
        engine.accounts.revoke(new, "%", database)
        assert not engine.enters(new, password, database)
    engine.accounts.delete_account(new)
    assert not engine.enters(new, password, database)
    if engine.databases:
        engine.accounts.delete_database(database)
    assert [each.name for each in engine.users()] == ["other"]
    assert engine.names() == [*engine.of("otherdb")]
