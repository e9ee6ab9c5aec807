# SPDX-License-Identifier: Apache-2.0
"""A rules file is written and read alike, and a guest is bound by it and the policy."""

import json

import pytest

from trove import errors
from trove.datastores import registry, rules

NUMBER = {"type": "integer", "restart_required": True, "min": 0, "max": 9, "unit": "kB"}
WORDS = {"type": "string", "restart_required": False, "values": ["a", "b"]}


def test_what_is_written_is_read_back():
    said = {"work_mem": NUMBER, "jit": WORDS, "mode": {**WORDS, "members": ["x"]}}
    text = rules.write("postgresql", '15.18 "x"', said)
    assert rules.read(text, "f") == rules.Document(said, "postgresql", '15.18 "x"')
    assert len(text.splitlines()) == 3 + len(said), "one a line, to be compared"


def test_a_file_of_upstreams_is_read():
    entry = {"name": "a", "type": "integer", "restart_required": 0, "min": 1, "max": 2}
    assert rules.read(json.dumps({rules.ROOT: [entry]}), "f").rules == {
        "a": {"type": "integer", "restart_required": False, "min": 1, "max": 2}
    }


@pytest.mark.parametrize(
    "told",
    [
        "{",
        "7",
        "{}",
        '{"configuration-parameters": 7}',
        '{"configuration-parameters": [7]}',
        json.dumps({rules.ROOT: [{"name": "a", "type": "integer"}]}),
        *(
            json.dumps({rules.ROOT: [{"name": "a", **NUMBER, **wrong}]})
            for wrong in (
                {"type": "blob"},
                {"min": "1"},
                {"max": True},
                {"values": "a"},
                {"unit": 8},
            )
        ),
        json.dumps({rules.ROOT: [], "datastore": 7}),
    ],
)
def test_what_is_no_such_file_is_refused(told):
    with pytest.raises(errors.Invalid, match=r"f is no file of"):
        rules.read(told, "f")


def test_a_name_stands_once():
    entry = {"name": "a", **NUMBER}
    with pytest.raises(errors.Invalid, match="twice"):
        rules.read(json.dumps({rules.ROOT: [entry, entry]}), "f")


def test_a_guest_checks_by_its_image_within_the_policy(host):
    datastore = registry.get("postgresql")
    assert rules.known(host, datastore) is None
    said = {
        "work_mem": NUMBER,
        "max_connections": {**NUMBER, "max": 10**6},
        "archive_command": {**WORDS},
    }
    host.files[rules.path("postgresql")] = rules.write("postgresql", "15", said)
    assert rules.checked(host, datastore, {"WORK_MEM": 9}) == {"work_mem": 9}
    for group in (
        {"work_mem": 10},
        {"work_mem": "9"},
        {"archive_command": "a"},
        {"max_connections": 20001},
        {"max_connections": 19},
        {"jit": True},
    ):
        with pytest.raises(errors.Invalid):
            rules.checked(host, datastore, group)


def test_a_guest_whose_image_says_nothing_checks_by_the_policy(host):
    datastore = registry.get("postgresql")
    group = {"JIT": True, "work_mem": 64, "huge_pages": "off"}
    assert rules.checked(host, datastore, group) == {
        "jit": True,
        "work_mem": 64,
        "huge_pages": "off",
    }
    for wrong in ({"huge_pages": "on"}, {"max_connections": 1}, {"fsync": False}):
        with pytest.raises(errors.Invalid):
            rules.checked(host, datastore, wrong)
