# SPDX-License-Identifier: Apache-2.0
"""A group's values in a running Valkey: all of them or none, and what waits."""

import pytest

from trove import errors
from trove.datastores.valkey.agent import settings


@pytest.fixture
def running(talk, refusal):
    """On paper: three parameters, of which one is fixed."""
    now = {"maxclients": "100", "hz": "10", "io-threads": "1", "activerehashing": "no"}

    def configure(words):
        new = dict(zip(words[2::2], words[3::2], strict=True))
        if "io-threads" in new:
            return refusal(
                "ERR CONFIG SET failed (possibly related to argument 'io-threads') - "
                "can't set immutable config"
            )
        if new.get("hz") == "0":
            return refusal("ERR argument must be between 1 and 500 inclusive")
        if new.get("maxclients") != "9":  # which it only seems to take
            now.update(new)
        return "OK"

    talk.answers["CONFIG SET"] = configure
    talk.answers["CONFIG GET"] = lambda words: [x for pair in now.items() for x in pair]
    talk.now = now
    return talk


def sets(talk):
    return [words[2:] for words in talk.said if words[:2] == ("CONFIG", "SET")]


def test_only_what_differs_is_set_and_all_at_once(running):
    wanted = {"maxclients": 200, "hz": 10, "activerehashing": True}
    assert settings.take(running, wanted, {"maxclients": 200}) == ()
    assert sets(running) == [("maxclients", "200", "activerehashing", "yes")]


def test_what_is_fixed_waits_and_the_others_do_not(running):
    group = {"io-threads": 4, "maxclients": 200}
    assert settings.take(running, group, group) == ("io-threads",)
    assert running.now["maxclients"] == "200"


def test_nothing_is_said_where_nothing_differs(running):
    assert settings.take(running, {"hz": 10}, {}) == ()
    assert sets(running) == []


def test_what_it_refuses_is_the_orders_fault(running):
    with pytest.raises(errors.Invalid, match="between 1 and 500"):
        settings.take(running, {"hz": 0}, {"hz": 0})


def test_what_is_read_back_otherwise_is_the_engines(running):
    with pytest.raises(errors.EngineFailed, match="was set to 9, and is 100"):
        settings.take(running, {"maxclients": 9}, {"maxclients": 9})


@pytest.mark.parametrize(
    "now, wanted, alike",
    [("yes", True, True), ("no", True, False), ("10", 10, True), (None, 1, False)],
)
def test_a_value_is_compared_as_the_engine_writes_it(now, wanted, alike):
    assert settings.same(now, wanted) is alike
