# SPDX-License-Identifier: Apache-2.0
"""What a MariaDB says of its variables becomes rules, and nothing of it stays."""

import json

import pytest

from trove.datastores.mariadb.agent import rules
from trove.datastores.protocol import Ran

HELP = """\
mariadbd  Ver 10.11
  --basedir=name      Path
Variables (--variable-name=value)
and boolean options {FALSE|TRUE}           Value (after reading options)
------------------------------------------ ------------------------------
autoload                                   TRUE
default-time-zone                          (No default value)
event-scheduler                            OFF
long-query-time                            10
max-connections                            151
no-variable                                0
optimizer-switch                           mrr=off
performance-schema                         FALSE
sort-buffer-size                           2097152
sql-mode                                   ANSI
timestamp                                  0

To see what values a running server is using, type
'mariadbd-admin variables' instead of 'mariadbd --verbose --help'.
"""


def row(name, kind, low=None, high=None, words=None, **other):
    told = {"name": name, "scope": "GLOBAL", "type": kind, "min": low, "max": high}
    return {**told, "words": words, "read_only": "NO", "value": None, **other}


ROWS = [
    row("version", "VARCHAR", value="10.11.19-MariaDB"),
    row("autoload", "BOOLEAN", words="OFF,ON"),
    row("basedir", "VARCHAR"),
    row("event_scheduler", "ENUM", words="OFF,ON,DISABLED"),
    row("long_query_time", "DOUBLE", "0", "31536000"),
    row("max_connections", "BIGINT UNSIGNED", "10", "100000"),
    row("optimizer_switch", "FLAGSET", words="mrr,default"),
    row("performance_schema", "BOOLEAN", words="OFF,ON", read_only="YES"),
    row("sort_buffer_size", "BIGINT UNSIGNED", "1024", "18446744073709551615"),
    row("sql_mode", "SET", words="ANSI,TRADITIONAL"),
    row("time_zone", "VARCHAR"),
    row("timestamp", "DOUBLE", "0", "2147483647", scope="SESSION ONLY"),
    row("tx_isolation", "ENUM", words="READ-COMMITTED"),
]


@pytest.fixture
def told(host):
    host.answers["mariadbd"] = Ran(0, HELP, "")
    answer = "\n".join(map(json.dumps, ROWS))
    host.files["/var/lib/trove-rules/variables"] = answer
    return rules.describe(host)


def test_types_ranges_and_words_are_the_engines(told):
    assert told.version == "10.11.19-MariaDB"
    live = {"restart_required": False}
    assert told.rules == {
        "autoload": {"type": "boolean", **live},
        "default_time_zone": {"type": "string", **live},
        "event_scheduler": {
            "type": "string",
            "values": ["OFF", "ON", "DISABLED"],
            **live,
        },
        "long_query_time": {"type": "float", "min": 0.0, "max": 31536000.0, **live},
        "max_connections": {"type": "integer", "min": 10, "max": 100000, **live},
        "optimizer_switch": {"type": "string", **live},
        "performance_schema": {"type": "boolean", "restart_required": True},
        "sort_buffer_size": {"type": "integer", "min": 1024, "max": 2**64 - 1, **live},
        "sql_mode": {"type": "string", "members": ["ANSI", "TRADITIONAL"], **live},
    }


def test_what_is_no_option_or_no_global_variable_is_none(told):
    assert not {"basedir", "no_variable", "timestamp"} & set(told.rules)


def test_it_is_asked_as_the_engines_user_and_cleaned_up(host, told):
    assert set(host.deeds) == {"mariadbd as mysql"}
    assert "/var/lib/trove-rules" not in host.files
    question = host.files["/var/lib/trove-rules/question"].splitlines()
    assert question[-1] == "SHUTDOWN;"
    assert all(line.endswith(";") for line in question), "one statement a line"
    assert "--skip-networking" in rules.SMALL
