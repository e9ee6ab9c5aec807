# SPDX-License-Identifier: Apache-2.0
"""Databases and users have exactly the names, passwords and grants of the order."""

import hypothesis
import hypothesis.strategies as st
import pytest

from trove import errors
from trove.datastores import registry
from trove.datastores.protocol import Account, Database

HOSTILE = [
    "a'b",
    'a"b',
    "a`b",
    "a\\b",
    "a\\'b",
    "a b",
    "100%",
    "%s %(x)s {}",
    "a_b",
    "'; DROP TABLE users; --",
    '"; DROP ROLE x; --',
    "`; DROP DATABASE x; --",
    "$(id)",
    "`id`",
    "-a",
    "--help",
    "a/b",
    "a.b",
    "..",
    "naïve",
    "漢字",
    "ключ",
    "SELECT",
    "A",
    "a",
    "@@version",
    "a@b",
    "a\\",
    "\xbf\x27 or 1=1",  # half a GBK letter, and the quote it would eat
    "\u8a93\\",  # in GBK and Shift-JIS ends with a backslash's byte
    "\u00ad\u200b",
]


def unseen(lab, before, *names):
    """The accounts that were there before are as they were."""
    after = lab.client.users()
    return {k: v for k, v in after.items() if k not in names} == {
        k: v for k, v in before.items() if k not in names
    }


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_hostile_text_is_a_name_and_a_password_like_any_other(lab, text):
    before = lab.client.users()
    if set(text) & set(registry.get(lab.name).naming.unnamed):
        with pytest.raises(errors.Invalid, match="stored"):
            lab.account(text, text, text)
        assert lab.client.users() == before
        return
    lab.account(text, text, text)
    assert text in lab.client.users()
    assert lab.has(text)
    with lab.client.login(text, text, text) as run:
        lab.client.make(run, "t")
        lab.client.drop(run, "t")
    assert unseen(lab, before, text)


@hypothesis.settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
@hypothesis.given(
    st.text(min_size=1, max_size=40),
    st.text(min_size=1, max_size=40),
    st.text(min_size=1, max_size=80),
)
def test_every_legal_name_and_password_works(lab, user, database, password):
    naming = registry.get(lab.name).naming
    try:
        naming.check_user(user)
        naming.check_database(database)
        naming.check_password(password)
    except errors.Invalid:
        hypothesis.reject()
    before = lab.client.users()
    lab.account(user, password, database)
    assert user in lab.client.users()
    assert lab.has(database)
    with lab.client.login(user, password, database) as run:
        assert lab.client.answers(run)
    assert unseen(lab, before, user)


def test_names_as_long_as_allowed(lab):
    naming = registry.get(lab.name).naming
    user = "u" * min(naming.max_user, 128, *(b.limit for b in naming.user_budgets))
    database = "d" * (64 if naming.database_budgets else naming.max_database)
    lab.account(user, "p" * naming.max_password, database)
    assert user in lab.client.users()
    assert lab.has(database)
    with lab.client.login(user, "p" * naming.max_password, database):
        pass


def test_a_refused_order_changes_nothing(lab):
    before = lab.client.users(), lab.client.databases()
    no_database = errors.Invalid if lab.can.databases else errors.NotSupported
    for bad in ("", "\x00", "a\x00b", " a", "x" * 400):
        with pytest.raises(no_database):
            lab.engine.accounts.create_databases([Database(bad)])
        with pytest.raises(errors.Invalid):
            lab.engine.accounts.create_accounts([Account(bad, "%", (), "password")])
        with pytest.raises(no_database):
            lab.engine.accounts.create_accounts(
                [Account("ok", "%", (bad,), "password")]
            )
    for bad in ("", "a\x00b", "x" * 257):
        with pytest.raises(errors.Invalid):
            lab.engine.accounts.create_accounts([Account("ok", "%", (), bad)])
    with pytest.raises(errors.Invalid):
        lab.engine.accounts.create_accounts([Account("ok", "%", (), None)])
    assert (lab.client.users(), lab.client.databases()) == before


def refuses_databases(lab):
    """Every order that has one, and nothing of it is done."""
    before, accounts = lab.client.users(), lab.engine.accounts
    for order in (
        lambda: accounts.create_databases([Database("shop")]),
        lambda: accounts.create_accounts([Account("ok", "%", ("shop",), "password")]),
        lambda: accounts.delete_database("shop"),
        lambda: accounts.databases(10),
        lambda: accounts.has_database("shop"),
        lambda: accounts.grant("ok", "%", ["shop"]),
        lambda: accounts.revoke("ok", "%", "shop"),
    ):
        with pytest.raises(errors.NotSupported, match=f"{lab.name}.*databases"):
            order()
    accounts.create_databases([])
    assert lab.client.users() == before


def test_a_character_set_that_is_none_is_refused(lab):
    if not lab.can.databases:
        refuses_databases(lab)
        return
    for bad in (Database("cs", "nonsense"), Database("cs", "utf8' --", "x'; DROP")):
        with pytest.raises(errors.Invalid):
            lab.engine.accounts.create_databases([bad])
    assert "cs" not in lab.client.databases()
    lab.engine.accounts.create_databases([Database("cs", "utf8")])
    assert "cs" in lab.client.databases()


def test_a_grant_is_for_that_database_only(lab):
    if not lab.can.databases:
        refuses_databases(lab)
        return
    password = "only-that-1"
    names = ("a_b", "aXb", "a%", "a\\_b", "other")
    for name in names:
        lab.engine.accounts.create_databases([Database(name)])
    for index, name in enumerate(names):
        lab.account(f"only{index}", password, name)
    for index, own in enumerate(names):
        for name in names:
            if name == own:
                with lab.client.login(f"only{index}", password, name) as run:
                    lab.client.make(run, f"t{index}")
            else:
                with (
                    pytest.raises(lab.refused),
                    lab.client.login(f"only{index}", password, name),
                ):
                    pass


def test_an_order_twice_is_one_deed_and_the_last_password_counts(lab):
    for password in ("first password", "first password", "second password"):
        lab.account("twice", password, "twicedb", "twicedb2")
        users, databases = lab.client.users(), lab.client.databases()
    lab.account("twice", "second password", "twicedb")
    assert lab.client.databases() == databases
    assert set(lab.client.users()) == set(users)
    with (
        pytest.raises(lab.refused),
        lab.client.login("twice", "first password", "twicedb"),
    ):
        pass
    for database in ("twicedb", "twicedb2"):
        with lab.client.login("twice", "second password", database):
            pass


def test_an_account_that_is_there_may_be_granted_more_without_its_password(lab):
    lab.account("more", "more password", "more1")
    lab.account("more", None, "more2")
    for database in ("more1", "more2"):
        with lab.client.login("more", "more password", database):
            pass


def test_users_of_one_database_share_what_they_make(lab):
    client = lab.client
    lab.account("ann", "ann password", "shared")
    with client.login("ann", "ann password", "shared") as run:
        client.make(run, "early")
    lab.account("bob", "bob password", "shared")
    with client.login("ann", "ann password", "shared") as run:
        client.make(run, "late")
    with client.login("bob", "bob password", "shared") as run:
        for table in ("early", "late"):
            client.put(run, table, 1)
            assert client.numbers(run, table) == [1]
        client.make(run, "bobs")
    with client.login("ann", "ann password", "shared") as run:
        client.put(run, "bobs", 1)
