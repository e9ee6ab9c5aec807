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
    lab.account(text, text, text)
    assert text in lab.client.users()
    assert text in lab.client.databases()
    with lab.client.login(text, text, text) as run:
        run("CREATE TABLE t (a INT)")
        run("DROP TABLE t")
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
    assert database in lab.client.databases()
    with lab.client.login(user, password, database) as run:
        assert run("SELECT 1") == [(1,)]
    assert unseen(lab, before, user)


def test_names_as_long_as_allowed(lab):
    naming = registry.get(lab.name).naming
    user = "u" * min(naming.max_user, *(b.limit for b in naming.user_budgets), 128)
    database = "d" * (64 if naming.database_budgets else naming.max_database)
    lab.account(user, "p" * naming.max_password, database)
    assert user in lab.client.users()
    assert database in lab.client.databases()
    with lab.client.login(user, "p" * naming.max_password, database):
        pass


def test_a_refused_order_changes_nothing(lab):
    before = lab.client.users(), lab.client.databases()
    for bad in ("", "\x00", "a\x00b", " a", "x" * 400):
        with pytest.raises(errors.Invalid):
            lab.engine.accounts.create_databases([Database(bad)])
        with pytest.raises(errors.Invalid):
            lab.engine.accounts.create_accounts([Account(bad, "%", (), "password")])
        with pytest.raises(errors.Invalid):
            lab.engine.accounts.create_accounts(
                [Account("ok", "%", (bad,), "password")]
            )
    for bad in ("", "a\x00b", "x" * 257):
        with pytest.raises(errors.Invalid):
            lab.engine.accounts.create_accounts([Account("ok", "%", (), bad)])
    with pytest.raises(errors.Invalid):
        lab.engine.accounts.create_accounts([Account("ok", "%", (), None)])
    assert (lab.client.users(), lab.client.databases()) == before


def test_a_character_set_that_is_none_is_refused(lab):
    for bad in (Database("cs", "nonsense"), Database("cs", "utf8' --", "x'; DROP")):
        with pytest.raises(errors.Invalid):
            lab.engine.accounts.create_databases([bad])
    assert "cs" not in lab.client.databases()
    lab.engine.accounts.create_databases([Database("cs", "utf8")])
    assert "cs" in lab.client.databases()


def test_a_grant_is_for_that_database_only(lab):
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
                    run(f"CREATE TABLE t{index} (a INT)")
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
    lab.engine.accounts.create_databases([Database("more2")])
    lab.engine.accounts.create_accounts([Account("more", "%", ("more2",))])
    for database in ("more1", "more2"):
        with lab.client.login("more", "more password", database):
            pass


def test_users_of_one_database_share_what_they_make(lab):
    lab.account("ann", "ann password", "shared")
    with lab.client.login("ann", "ann password", "shared") as run:
        run("CREATE TABLE early (a INT)")
    lab.account("bob", "bob password", "shared")
    with lab.client.login("ann", "ann password", "shared") as run:
        run("CREATE TABLE late (a INT)")
    with lab.client.login("bob", "bob password", "shared") as run:
        for table in ("early", "late"):
            run(f"INSERT INTO {table} VALUES (1)")
            assert run(f"SELECT a FROM {table}") == [(1,)]
        run("CREATE TABLE bobs (a INT)")
    with lab.client.login("ann", "ann password", "shared") as run:
        run("INSERT INTO bobs VALUES (1)")
