# SPDX-License-Identifier: Apache-2.0
"""What Valkey is told to have a user, and what becomes of it when it cannot write."""

import pytest

from trove import errors
from trove.datastores.protocol import Account, Change
from trove.datastores.valkey.agent import accounts
from trove.datastores.valkey.agent.rights import hashed

ANN = ["flags", ["on"], "passwords", ["a1" * 32], "commands", "+@all"]


def setusers(talk):
    return [words[2:] for words in talk.said if words[:2] == ("ACL", "SETUSER")]


def test_a_password_is_never_said_in_clear_text(talk):
    talk.answers["ACL GETUSER"] = None
    accounts.create_accounts(talk, [Account("ann", "%", (), "clear text")])
    ((name, *rules),) = setusers(talk)
    assert (name, rules[:3]) == ("ann", ["reset", "on", hashed("clear text")])
    assert "clear" not in str(talk.said)
    assert [words[0] for words in talk.said] == ["MULTI", "ACL", "EXEC", "ACL"]
    assert talk.said[-1] == ("ACL", "SAVE")


def test_an_account_that_is_there_keeps_its_password_where_none_is_ordered(talk):
    talk.answers["ACL GETUSER ann"] = ANN
    accounts.create_accounts(talk, [Account("ann")])
    ((_, _, _, kept, *_),) = setusers(talk)
    assert kept == "#" + "a1" * 32


def test_a_bad_order_changes_nothing(talk):
    talk.answers["ACL GETUSER"] = None
    good = Account("ann", "%", (), "p")
    for bad, error in (
        (Account("trove_admin", "%", (), "p"), errors.Invalid),
        (Account("default", "%", (), "p"), errors.Invalid),
        (Account("a b", "%", (), "p"), errors.Invalid),
        (Account("new"), errors.Invalid),
        (Account("bob", "%", ("shop",), "p"), errors.NotSupported),
    ):
        with pytest.raises(error):
            accounts.create_accounts(talk, [good, bad])
    assert setusers(talk) == []


def test_a_new_name_has_the_old_ones_hash_and_comes_in_its_place_at_once(talk):
    talk.answers |= {"ACL GETUSER ann": ANN, "ACL GETUSER eve": None}
    accounts.change_account(talk, "ann", Change(name="eve"))
    start = talk.said.index(("MULTI",))
    made, gone, done, saved = talk.said[start + 1 :]
    assert made[:6] == ("ACL", "SETUSER", "eve", "reset", "on", "#" + "a1" * 32)
    assert (gone, done) == (("ACL", "DELUSER", "ann"), ("EXEC",))
    assert saved == ("ACL", "SAVE")


def test_a_name_that_is_taken_or_a_host_is_refused(talk):
    talk.answers["ACL GETUSER"] = ANN
    for change in (Change(name="bob"), Change(name="root"), Change(host="10.0.0.1")):
        with pytest.raises(errors.Invalid):
            accounts.change_account(talk, "ann", change)
    assert ("MULTI",) not in talk.said


def test_what_cannot_be_written_down_is_taken_back(talk, refusal):
    talk.answers |= {"ACL GETUSER ann": ANN, "ACL SAVE": refusal("ERR no space")}
    with pytest.raises(errors.EngineFailed, match="no space"):
        accounts.delete_account(talk, "ann")
    assert talk.said[-1] == ("ACL", "LOAD")


def test_a_command_that_is_refused_among_others_is_told(talk, refusal):
    talk.answers |= {"EXEC": ["OK", refusal("ERR modifier")]}
    with pytest.raises(refusal, match="modifier"):
        accounts.enable_root(talk, "p")
    assert ("ACL", "SAVE") not in talk.said


def test_a_page_is_of_tenants_in_the_order_of_their_markers(talk):
    names = ["default", "root", "trove_admin", "b", "a", "a%", "aA", "c d"]
    talk.answers["ACL USERS"] = names
    found = [user.name for user in accounts.users(talk, 10, None)]
    assert found == ["a%", "a", "aA", "b"]
    page = accounts.users(talk, 2, "a%@%")
    assert [user.name for user in page] == ["a", "aA"]


@pytest.mark.parametrize("name", ["root", "default", "trove_admin", "no such"])
def test_nobodys_names_are_not_found(talk, name):
    talk.answers["ACL GETUSER"] = ANN
    assert accounts.user(talk, name) is None
    with pytest.raises(errors.NotFound):
        accounts.delete_account(talk, name)
