# SPDX-License-Identifier: Apache-2.0
"""What MariaDB is told to have a database or an account."""

import pytest

from trove import errors
from trove.datastores.mariadb.agent.accounts import ACCOUNTS as accounts
from trove.datastores.protocol import Account, Database


def test_a_password_is_never_said_in_clear_text(talk):
    accounts.create_accounts(talk, [Account("u", "%", ("a_b",), "clear text")])
    assert talk.said[-1] == "GRANT ALL PRIVILEGES ON `a\\_b`.* TO 'u'@'%'"
    assert not [statement for statement in talk.said if "clear" in statement]


def test_an_unknown_account_needs_a_password(talk):
    with pytest.raises(errors.Invalid, match="password"):
        accounts.create_accounts(talk, [Account("u", "%", ("d",))])
    talk.known = [(1,)]
    accounts.create_accounts(talk, [Account("u", "%", ("d",))])
    assert talk.said[-1].startswith("GRANT")


def test_a_bad_order_says_nothing_to_the_server(talk):
    for account in (Account("root", "%", (), "p"), Account("u", "%", ("mysql",), "p")):
        with pytest.raises(errors.Invalid):
            accounts.create_accounts(talk, [account])
    with pytest.raises(errors.Invalid):
        accounts.create_databases(talk, [Database("sys")])
    assert talk.said == []


def test_a_character_set_is_a_quoted_word(talk):
    accounts.create_databases(talk, [Database("d", "utf8' x", "y")])
    (said,) = talk.said
    assert said.endswith("`d` CHARACTER SET 'utf8\\' x' COLLATE 'y'")


def test_where_certificates_are_asked_for_no_account_is_made_without(talk):
    order = [Account("u", "%", (), "clear text")]
    accounts.create_accounts(talk, order, certified=True)
    made = [said for said in talk.said if "USER" in said]
    assert len(made) == 2 and all(said.endswith(" REQUIRE X509") for said in made)


@pytest.mark.parametrize("certified, word", [(True, "X509"), (False, "NONE")])
def test_what_is_asked_of_accounts_is_asked_of_those_found(talk, certified, word):
    talk.known = [("o'neil", "%"), ("root", "%")]
    accounts.demand(talk, certified)
    assert talk.said[1:] == [
        f"ALTER USER 'o\\'neil'@'%' REQUIRE {word}",
        f"ALTER USER 'root'@'%' REQUIRE {word}",
    ]
    assert "NOT (User = 'root' AND Host = 'localhost')" in talk.said[0]
