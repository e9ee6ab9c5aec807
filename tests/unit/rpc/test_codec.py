# SPDX-License-Identifier: Apache-2.0
"""The codec: what was sent is what is read, and nothing else is."""

import dataclasses
import json
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trove import errors
from trove.rpc import codec, messages

TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)
    ),
    max_leaves=12,
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner)
    ),
    max_leaves=12,
)
JOBS = st.builds(
    messages.JobReport,
    id=TEXT,
    state=TEXT,
    progress=st.integers(0, 100),
    fault=st.none() | TEXT,
    result=st.none() | st.dictionaries(TEXT, JSON, max_size=3),
)
REPORTS = st.builds(
    messages.Report,
    boot=st.integers(0, 2**31),
    seq=st.integers(0, 2**31),
    service=TEXT,
    role=st.none() | TEXT,
    jobs=st.lists(JOBS, max_size=3).map(tuple),
)


@dataclasses.dataclass(frozen=True)
class Leaf:
    name: str = dataclasses.field(metadata={"max": 3})
    ratio: float = 0.0


@dataclasses.dataclass(frozen=True)
class Tree:
    leaf: Leaf
    others: list[Leaf]
    by_name: dict[str, Leaf] = dataclasses.field(default_factory=dict)
    mark: int | str | None = None
    on: bool = False


def through_json(value: object) -> typing.Any:
    return json.loads(json.dumps(codec.encode(value)))


@given(REPORTS)
def test_a_report_arrives_as_it_was_sent(report):
    assert codec.decode(messages.Report, through_json(report)) == report


@given(ANY_JSON)
def test_whatever_comes_is_a_report_or_is_invalid(data):
    for kind in (messages.Report, messages.Plan, messages.Enrolment, Tree):
        try:
            codec.weigh(data, codec.FROM_GUEST)
            value = codec.decode(kind, data)
        except errors.Invalid:
            continue
        assert isinstance(value, kind)


@given(REPORTS, st.text(max_size=8), ANY_JSON)
def test_a_report_with_one_field_spoilt_is_never_half_read(report, name, junk):
    data = through_json(report) | {name: junk}
    try:
        read = codec.decode(messages.Report, data)
    except errors.Invalid:
        return
    # Accepted: then it is a legal value for that field, or a field nobody declared.
    fields = {field.name for field in dataclasses.fields(messages.Report)}
    assert name not in fields or through_json(read)[name] == junk


def test_fields_nobody_declared_are_dropped():
    data = {"id": "a", "state": "done", "instance_id": "another", "__class__": "os"}
    assert codec.decode(messages.JobReport, data) == messages.JobReport("a", "done")


def test_nested_values_come_back_with_their_types():
    tree = Tree(Leaf("a", 1.5), [Leaf("b")], {"c": Leaf("c")}, mark="x", on=True)
    assert codec.decode(Tree, through_json(tree)) == tree
    assert codec.decode(tuple[int, ...], [1, 2]) == (1, 2)
    assert codec.decode(float, 1) == 1.0
    assert codec.decode(None | int, None) is None


@pytest.mark.parametrize(
    "kind, data, sentence",
    [
        (messages.JobReport, {"id": "a"}, "message.state is missing"),
        (messages.JobReport, {"id": 1, "state": "x"}, "message.id must be a text"),
        (messages.JobReport, [], "message must be an object"),
        (messages.Report, {"boot": True, "seq": 1, "service": ""}, "boot must be an"),
        (messages.Report, {"boot": 1.0, "seq": 1, "service": ""}, "boot must be an"),
        (messages.Report, {"boot": 2**63, "seq": 1, "service": ""}, "of 64 bits"),
        (Leaf, {"name": "long"}, "message.name is longer than 3 characters"),
        (Leaf, {"name": "a", "ratio": float("nan")}, "must be a finite number"),
        (Leaf, {"name": "a", "ratio": 10**400}, "of 64 bits"),
        (Leaf, {"name": "a", "ratio": True}, "must be a number"),
        (Tree, {"leaf": {"name": "a"}, "others": {}}, "others must be a list"),
        (
            Tree,
            {"leaf": {"name": "a"}, "others": [], "by_name": []},
            "by_name must be an object",
        ),
        (Tree, {"leaf": {"name": "a"}, "others": [], "mark": []}, "must be a text"),
        (Tree, {"leaf": {"name": "a"}, "others": [], "on": 1}, "true or false"),
        (str, "a\0b", "whole characters"),
        (str, "\ud800", "whole characters"),
        (str, "x" * (messages.TEXT + 1), "longer than 4096"),
        (type(None), 0, "must be null"),
        (dict[str, typing.Any], {"a": object()}, "must be a JSON value"),
        (dict[str, typing.Any], {"a": {"b": ["\0"]}}, "whole characters"),
    ],
)
def test_what_is_refused_says_why(kind, data, sentence):
    with pytest.raises(errors.Invalid, match=sentence.replace("[", r"\[")):
        codec.decode(kind, data)


def test_a_fault_is_short_however_long_the_message():
    with pytest.raises(errors.Invalid) as caught:
        codec.decode(list[dict[str, int]], [{"k" * 4000: "not a number"}] * 10)
    assert len(str(caught.value)) < 200


def test_depth_is_bounded():
    deep: typing.Any = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(errors.Invalid, match="too deeply"):
        codec.weigh(deep, codec.TO_GUEST)
    # Python takes such a list apart recursively; help it.
    while isinstance(deep, list):
        deep = deep.pop()


@pytest.mark.parametrize(
    "data",
    [
        "x" * 1001,
        ["x" * 400] * 3,
        {"x" * 600: "y" * 600},
        [[]] * 1000,
        10**4000,
        "é" * 501,
    ],
    ids=["text", "list", "key", "empty lists", "integer", "bytes, not characters"],
)
def test_size_is_bounded(data):
    with pytest.raises(errors.Invalid, match="too large"):
        codec.weigh(data, 1000)


def test_size_of_what_json_cannot_hold():
    with pytest.raises(errors.Invalid, match="cannot"):
        codec.weigh({"a": b""}, 1000)


@given(JSON)
def test_ordinary_messages_are_let_through(data):
    codec.weigh(data, codec.FROM_GUEST)


@pytest.mark.parametrize("kind", [bytes, set[str], tuple[int, str], dict[int, str]])
def test_a_declaration_of_what_cannot_be_read_is_found_at_import(kind):
    with pytest.raises(TypeError, match="no message can carry"):
        codec.check(kind)


@pytest.mark.parametrize("value", [b"", {1: 2}, {1, 2}, object()])
def test_what_cannot_be_sent_is_not_sent(value):
    with pytest.raises(TypeError):
        codec.encode(value)
