# SPDX-License-Identifier: Apache-2.0
"""What MySQL is told to have a database or an account."""

import pytest

from trove.datastores.mysql.agent.accounts import ACCOUNTS, ROOT
from trove.datastores.protocol import Account


def test_a_grant_is_for_the_name_as_it_is(talk):
    ACCOUNTS.create_accounts(talk, [Account("u", "%", ("a_b",), "p")])
    assert talk.said[-1] == "GRANT ALL PRIVILEGES ON `a_b`.* TO 'u'@'%'"


def test_a_password_stays_in_its_quotes(talk):
    ACCOUNTS.create_accounts(talk, [Account("u", "%", (), "o'neil\\")])
    proof = "IDENTIFIED WITH caching_sha2_password BY 'o\\'neil\\\\'"
    assert talk.said == [
        f"CREATE USER IF NOT EXISTS 'u'@'%' {proof}",
        f"ALTER USER 'u'@'%' {proof}",
    ]


@pytest.mark.parametrize("certified, word", [(True, "X509"), (False, "NONE")])
def test_what_is_asked_of_accounts_is_asked_of_those_found(talk, certified, word):
    talk.known = [("o'neil", "%")]
    ACCOUNTS.demand(talk, certified)
    assert talk.said[1:] == [f"ALTER USER 'o\\'neil'@'%' REQUIRE {word}"]
    assert "NOT (User = 'root' AND Host = 'localhost')" in talk.said[0]
    assert "'mysql.sys'" in talk.said[0]


def test_who_is_deleted_is_sent_away(talk):
    talk.known = [(7,)]
    ACCOUNTS.delete_account(talk, "ann", "%")
    assert talk.said[-3:] == [
        "DROP USER 'ann'@'%'",
        "SELECT id FROM information_schema.processlist WHERE user = 'ann'",
        "KILL 7",
    ]


def test_root_is_locked_while_it_may_do_more_than_it_is_to(talk):
    ROOT.enable(talk, "p")
    deeds = [said.split()[0] for said in talk.said[2:]]
    assert deeds == ["ALTER", "GRANT", "REVOKE", "REVOKE", "REVOKE", "ALTER"]
    assert talk.said[2].endswith("ACCOUNT LOCK")
    assert talk.said[-1].endswith("ACCOUNT UNLOCK")


@pytest.mark.parametrize("evil", ["SUPER", "FILE", "SHUTDOWN", "RELOAD", "SYSTEM_"])
def test_root_leaves_the_database_by_no_privilege(talk, evil):
    ROOT.enable(talk, "p")
    granted = next(said for said in talk.said if said.startswith("GRANT"))
    assert evil not in granted
