# SPDX-License-Identifier: Apache-2.0
"""A policy narrows what an engine says, and widens nothing."""

import re

import hypothesis
import hypothesis.strategies as st
import pytest

from trove import errors
from trove.datastores import registry
from trove.datastores.policy import LARGEST, Limit

NUMBER = {"type": "integer", "restart_required": False, "min": 2, "max": 90}
WORDS = {"type": "string", "restart_required": False, "values": ["off", "ON", "auto"]}
TEXT = {"type": "string", "restart_required": False}
FLAG = {"type": "boolean", "restart_required": True}

EVIL = re.compile(
    r"command|librar|plugin|path|(^|_)dir(ector.*)?($|_)|_file$|file_priv|"
    r"init_(connect|file|slave|rpl)|ssl|tls|auth|passw|archive|recovery|restore|"
    r"primary_|standby_|slave|master|replic|relay|gtid|server_id|listen|bind|"
    r"(^|_)port$|socket|log_bin($|_index|_base)|log_(dest|output|dir|file)|general_log|"
    r"syslog|read_only|skip_(name|grant|net|show)|encrypt|fsync|local_infile|udf"
)
HARMLESS = {
    "appendfsync",
    "innodb_log_file_size",
    "log_recovery_conflict_waits",
    "log_replication_commands",
    "sql_generate_invisible_primary_key",
    "sql_require_primary_key",
}
"""They match, and name neither a file nor whom to follow, nor a key of TLS; none may
mean no fsync."""


@pytest.mark.parametrize(
    "limit, left",
    [
        (Limit(), (2, 90)),
        (Limit(min=1, max=99), (2, 90)),
        (Limit(min=5), (5, 90)),
        (Limit(max=7), (2, 7)),
        (Limit(min=91), None),
        (Limit(pattern="x"), None),
        (Limit(values=("2",)), None),
    ],
)
def test_a_range_is_cut_at_both_ends(limit, left):
    rule = limit.narrow(NUMBER)
    assert (rule and (rule["min"], rule["max"])) == left


def test_a_number_is_one_that_clients_can_read():
    rule = Limit().narrow({**NUMBER, "max": 2**64 - 1})
    assert rule["max"] == LARGEST
    assert Limit().narrow({**NUMBER, "type": "float", "max": 2.0**80})["max"] == 2.0**80


@pytest.mark.parametrize(
    "limit, said, left",
    [
        (Limit(), WORDS, ["off", "ON", "auto"]),
        (Limit(values=("on", "OFF")), WORDS, ["off", "ON"]),
        (Limit(values=("never",)), WORDS, None),
        (Limit(values=("a",)), TEXT, ["a"]),
        (Limit(min=1), WORDS, None),
    ],
)
def test_of_words_those_that_are_allowed_are_left(limit, said, left):
    rule = limit.narrow(said)
    assert (rule and rule["values"]) == left


def test_a_text_that_nothing_bounds_gets_no_rule():
    assert Limit().narrow(TEXT) is None
    assert Limit(pattern="a+").narrow(TEXT)["pattern"] == "a+"
    assert Limit().narrow({**TEXT, "members": ["a"]})["members"] == ["a"]


def test_on_or_off_is_not_to_be_narrowed():
    assert Limit().narrow(FLAG) == FLAG
    assert Limit(values=("on",)).narrow(FLAG) is None
    assert Limit(max=1).narrow(FLAG) is None


@pytest.mark.parametrize(
    "limit, rule, says",
    [
        (Limit(max=50), NUMBER, "from 2 to 50"),
        (Limit(min=5), NUMBER, "from 5 to 90"),
        (Limit(values=("on",)), WORDS, "one of: ON"),
        (Limit(), TEXT, "type string"),
        (Limit(pattern="a"), NUMBER, "type integer"),
    ],
)
def test_a_rule_that_is_wider_is_refused(limit, rule, says):
    with pytest.raises(errors.Invalid, match=says):
        limit.keep("n", rule)


def test_a_rule_that_is_within_is_kept_and_completed():
    assert Limit(max=100).keep("n", NUMBER) == NUMBER
    open_ended = {"type": "integer", "restart_required": False}
    assert Limit(min=5, max=9).keep("n", open_ended) == {
        **open_ended,
        "min": 5,
        "max": 9,
    }
    assert Limit(pattern="a").keep("n", TEXT)["pattern"] == "a"


@pytest.mark.parametrize(
    "limit, right, wrong",
    [
        (Limit(min=1, max=5), [1, 2.5, 5], [0, 6, True, "3", float("nan"), None, []]),
        (Limit(), [1, 0.5, True, "a=on,b", ""], [2**63, float("inf"), "a\n", "/x", {}]),
        (Limit(values=("ON",)), ["on", "ON"], ["off", 1, True]),
        (Limit(pattern="a|b"), ["a"], ["c", "a\n", 1, False]),
    ],
)
def test_a_value_of_which_no_engine_told(limit, right, wrong):
    for value in right:
        limit.check("n", value)
    for value in wrong:
        with pytest.raises(errors.Invalid, match="n"):
            limit.check("n", value)


@hypothesis.given(st.text(max_size=30))
def test_no_text_that_passes_ends_its_line_or_its_quotes(text):
    """S6, where an image does not say what its engine takes."""
    try:
        Limit().check("n", text)
    except errors.Invalid:
        return
    assert not set(text) & set("\"'\\\n\r\x00/;#`$|&<>()")


@pytest.mark.parametrize("name", registry.names())
def test_no_policy_names_what_loads_runs_or_opens(name):
    """S6, by the words that such names are made of, beside whoever reads the list."""
    found = {each for each in registry.get(name).policy if EVIL.search(each)}
    assert found <= HARMLESS


def test_no_word_for_when_to_write_means_never():
    assert registry.get("valkey").policy["appendfsync"].values == ("everysec", "always")


@pytest.mark.parametrize("name", registry.names())
def test_what_is_declared_is_within_the_policy(name):
    datastore = registry.get(name)
    for parameter, rule in datastore.parameters.items():
        limit = datastore.policy[parameter]
        if rule["type"] in ("integer", "float"):
            assert limit.keep(parameter, rule) == rule
        else:
            assert limit.narrow({**rule, "pattern": rule.get("pattern")}) is not None
