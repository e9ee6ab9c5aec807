# SPDX-License-Identifier: Apache-2.0
"""What PostgreSQL is told to have a database or an account."""

import contextlib

import pytest

from trove import errors
from trove.datastores.postgresql.agent import accounts
from trove.datastores.protocol import Account, Database


@pytest.fixture
def open_(talk):
    return lambda database: contextlib.nullcontext(talk)


def test_a_password_is_never_said_in_clear_text(talk, open_):
    accounts.create_accounts(open_, [Account("u", "%", ("d",), "clear text")])
    assert any("PASSWORD 'SCRAM-SHA-256$verifier'" in said for said in talk.said)
    assert not [statement for statement in talk.said if "clear" in statement]


def test_an_account_that_is_there_is_changed_and_not_made(talk, open_):
    talk.known = [("u",)]
    accounts.create_accounts(open_, [Account("u", "%", (), "p")])
    assert [said.split()[0] for said in talk.said] == ["SELECT", "ALTER"]


def test_an_unknown_account_needs_a_password(open_):
    with pytest.raises(errors.Invalid, match="password"):
        accounts.create_accounts(open_, [Account("u", "%", ("d",))])


def test_a_bad_order_says_nothing_to_the_server(talk, open_):
    for account in (
        Account("postgres", "%", (), "p"),
        Account("u", "%", ("template1",), "p"),
    ):
        with pytest.raises(errors.Invalid):
            accounts.create_accounts(open_, [account])
    with pytest.raises(errors.Invalid):
        accounts.create_databases(open_, [Database("postgres")])
    assert talk.said == []


@pytest.mark.parametrize(
    "database, end",
    [
        (Database("d"), "template0"),
        (Database("d", "utf8"), "ENCODING 'utf8'"),
        (Database("d", "latin1"), "ENCODING 'latin1' LOCALE_PROVIDER libc LOCALE 'C'"),
        (Database("d", None, "C.UTF-8"), "LOCALE_PROVIDER libc LOCALE 'C.UTF-8'"),
    ],
)
def test_encodings_that_icu_has_not_go_to_the_system(talk, open_, database, end):
    accounts.create_databases(open_, [database])
    assert talk.said[1].endswith(end)
    assert 'REVOKE ALL ON DATABASE "d" FROM PUBLIC' in talk.said
