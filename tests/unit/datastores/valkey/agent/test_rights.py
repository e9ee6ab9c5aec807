# SPDX-License-Identifier: Apache-2.0
"""The access list: who is in it, with which hash, and with whose rights."""

import fnmatch

import hypothesis
import hypothesis.strategies as st
import pytest

from trove.datastores.valkey.agent import rights

HASH = "#" + "b2" * 32


def users(text):
    lines = [line.split(" ") for line in text.splitlines()]
    assert all(word == "user" for word, *_ in lines)
    return {name: rules for _, name, *rules in lines}


def test_a_new_list_has_nobody_but_the_agent():
    found = users(rights.listed("secret"))
    assert found["default"] == ["reset", "off"]
    everything = [rights.hashed("secret"), *rights.EVERYTHING]
    assert found["trove_admin"] == ["reset", "on", *everything]
    assert set(found) == {"default", "trove_admin"}
    assert "secret" not in rights.listed("secret")


def test_of_a_list_that_was_there_names_and_hashes_count_and_no_rights():
    before = f"""\
user default on nopass ~* &* +@all
user trove_admin on {HASH} ~* +@all
user os_admin on {HASH} ~* +@all
user ann on sanitize-payload {HASH} ~* &* +@all +config
user root on {HASH} #short +@all
nonsense
user
"""
    found = users(rights.listed("mine", before))
    assert set(found) == {"default", "trove_admin", "ann", "root"}
    assert found["default"] == ["reset", "off"]
    assert HASH not in found["trove_admin"]
    assert found["ann"] == ["reset", "on", HASH, *rights.TENANT]
    assert found["root"] == ["reset", "on", HASH, *rights.OVERSEER]
    text = rights.listed("mine", before)
    assert rights.listed("mine", text) == text


@pytest.mark.parametrize(
    "command",
    ["acl", "config", "cluster", "module"],
)
def test_what_manages_the_server_is_taken_after_everything_was_given(command):
    for rules in (rights.TENANT, rights.OVERSEER):
        given = rules.index("+@all")
        for word in ("-@admin", "-@dangerous", f"-{command}"):
            assert rules.index(word) > given
        assert not [word for word in rules if word.startswith(f"+{command}")]


@hypothesis.given(st.text(alphabet="\x01ab", max_size=4))
def test_every_key_but_the_agents_may_be_written(key):
    """The patterns are as the shell's, but for how a set is turned round."""
    patterns = [
        pattern[1:].replace("[^", "[!")
        for pattern in rights.KEYS
        if pattern.startswith("~")
    ]
    written = any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)
    assert written is (key != rights.BEAT)
