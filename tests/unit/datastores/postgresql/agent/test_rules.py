# SPDX-License-Identifier: Apache-2.0
"""What a PostgreSQL says of its parameters becomes rules, and nothing of it stays."""

import json

import pytest

from trove.datastores.postgresql.agent import rules
from trove.datastores.protocol import Ran


def row(name, kind, context="user", low=None, high=None, **other):
    told = {"name": name, "vartype": kind, "context": context, "unit": None}
    told |= {"min_val": low, "max_val": high, "enumvals": None, "value": None}
    return {**told, **other}


ROWS = [
    row("server_version", "string", "internal", value="15.18 (Debian)"),
    row("block_size", "integer", "internal", "8192", "8192"),
    row("jit", "bool"),
    row("log_line_prefix", "string", "sighup", note='%m \\ "x"'),
    row("max_connections", "integer", "postmaster", "1", "262143"),
    row("random_page_cost", "real", low="0", high="1.79769e+308"),
    row("wal_compression", "enum", "superuser", enumvals=["pglz", "on", "off"]),
    row("work_mem", "integer", low="64", high="2147483647", unit="kB"),
]


def said():
    """As COPY writes it in single-user mode: a prompt, and each backslash doubled."""
    lines = [json.dumps(each).replace("\\", "\\\\") for each in reversed(ROWS)]
    return (
        "PostgreSQL stand-alone backend 15.18\nbackend> "
        + "\n".join(lines)
        + "\nbackend> "
    )


@pytest.fixture
def told(host):
    host.answers["postgres"] = Ran(0, said(), "")
    return rules.describe(host)


def test_types_ranges_words_and_units_are_the_engines(told):
    assert told.version == "15.18 (Debian)"
    live = {"restart_required": False}
    assert told.rules == {
        "jit": {"type": "boolean", **live},
        "log_line_prefix": {"type": "string", **live},
        "max_connections": {
            "type": "integer",
            "restart_required": True,
            "min": 1,
            "max": 262143,
        },
        "random_page_cost": {"type": "float", "min": 0.0, "max": 1.79769e308, **live},
        "wal_compression": {
            "type": "string",
            "values": ["pglz", "on", "off"],
            **live,
        },
        "work_mem": {
            "type": "integer",
            "min": 64,
            "max": 2147483647,
            "unit": "kB",
            **live,
        },
    }
    assert list(told.rules) == sorted(told.rules)


def test_it_is_asked_as_the_engines_user_and_cleaned_up(host, told):
    engine = ["initdb as postgres", "postgres as postgres"]
    assert host.deeds == ["ls as None", *engine]
    assert not [path for path in host.files if "trove-rules" in path]


def test_a_data_directory_that_cannot_be_made_is_cleaned_up(host):
    def fail(argv, **how):
        raise OSError("no space left")

    host.run = fail
    with pytest.raises(OSError, match="no space"):
        rules.describe(host)
    assert not [path for path in host.files if "trove-rules" in path]
