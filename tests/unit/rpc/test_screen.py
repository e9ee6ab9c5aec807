# SPDX-License-Identifier: Apache-2.0
"""The screen: what a hostile message may hold, and what is left of it."""

import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trove.rpc import screen

REQUEST: dict[str, typing.Any] = {
    "method": "heartbeat",
    "args": {},
    "version": "1.0",
    "_unique_id": "u",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [*sorted(screen.ENVELOPE), "_context_broker_user", "_context_self", "namespace"]
)


def test_an_ordinary_request_passes():
    assert screen.fault_of_request(dict(REQUEST), "guest-1") is None
    assert screen.fault_of_request(REQUEST | {"version": "12.345"}, None) is None


def test_a_call_is_answered_to_its_sender_only():
    asked = REQUEST | {"_msg_id": "m", "_timeout": 10}
    own = asked | {"_reply_q": "reply_guest-1:trove-guestagent:3"}
    assert screen.fault_of_request(own, "guest-1") is None
    for sender in ("guest-2", "guest-11", None):
        assert screen.fault_of_request(own, sender)
    random = asked | {"_reply_q": "reply_0af"}
    assert screen.fault_of_request(random, "trove-control") is None
    assert screen.fault_of_request(random, "guest-1")
    assert screen.fault_of_request(asked, "guest-1") == "no reply queue"


@pytest.mark.parametrize("sender", [None, "guest-1", 7])
@given(st.dictionaries(KEYS, JSON))
def test_whatever_passes_is_what_oslo_messaging_can_read(sender, spoilt):
    message = REQUEST | spoilt
    fault = screen.fault_of_request(message, sender)
    screen.stamp(message, sender)
    assert message["_context_broker_user"] is sender
    assert set(message) <= screen.ENVELOPE | screen.CONTEXT | {"_context_broker_user"}
    if fault is None:
        assert isinstance(message["method"], str) and isinstance(message["args"], dict)
        major, minor = message.get("version", "1.0").split(".")
        assert int(major) >= 0 and int(minor) >= 0
        for name in ("_unique_id", "_msg_id", "_reply_q"):
            assert hash(message.get(name)) is not None
        assert message.get("_timeout") is None or message["_timeout"] >= 2


@given(st.dictionaries(st.sampled_from(["result", "failure", "ending"]), JSON))
def test_a_reply_has_the_form_its_waiter_needs(told):
    message = {"_msg_id": "m"} | told
    assert screen.tidy_reply(message) is None
    assert message["failure"] is None and isinstance(message["ending"], bool)
    if told.get("failure") is not None:
        assert message["result"]["error"] == "Internal"


@pytest.mark.parametrize("named", [None, "", 7, [], {}, "x" * 200])
def test_a_reply_to_nothing_is_dropped(named):
    assert screen.tidy_reply({"_msg_id": named, "result": 1})


def test_a_flood_of_messages_is_no_flood_of_the_log(caplog):
    before = screen.DROPPED["flood"]
    for _ in range(1000):
        screen.drop("flood", "trove-conductor", "guest-1")
    assert screen.DROPPED["flood"] - before == 1000
    assert len(caplog.records) == 10  # 1, 2, 4, ... 512
