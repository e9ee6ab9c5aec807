# SPDX-License-Identifier: Apache-2.0
"""What a MySQL says of its variables becomes rules, and nothing of it stays."""

import json

import pytest

from trove.datastores.mysql.agent import rules
from trove.datastores.protocol import Ran

HELP = """\
mysqld  Ver 9.7.4
  -b, --basedir=name  Path
  --autoload          (Defaults to on; use --skip-autoload to disable.)
  --bad-option=name   No variable
  --block-mode=name   Words by number
  --default-time-zone=name
                      Set the default time zone
  --lc-time-names=name
                      A code
  --long-query-time=# Seconds
  --max-connections=# Clients
  --pages-pct[=#]     Per cent
  --sql-mode=name     Modes

Variables (--variable-name=value)
and boolean options {FALSE|TRUE}           Value (after reading options)
------------------------------------------ ------------------------------
autoload                                   TRUE
bad-option                                 (No default value)
block-mode                                 one
default-time-zone                          (No default value)
lc-time-names                              en_US
long-query-time                            10
max-connections                            151
pages-pct                                  90
sql-mode                                   ANSI

To see what values a running MySQL server is using, type
'mysqladmin variables' instead of 'mysqld --verbose --help'.
"""


def row(name, value, low="0", high="0", answers=None, failed=0):
    told = {"name": name, "value": value, "min": low, "max": high}
    return {**told, "answers": answers, "failed": failed}


ROWS = [
    row("version", "9.7.4-2"),
    row("autoload", "ON", failed=1238),
    row("block_mode", "one", answers={"0": "one", "2": "three", "10": "4", "1": "two"}),
    row("time_zone", "SYSTEM"),
    row("lc_time_names", "en_US", answers={"0": "en_US", "1": "en_GB", "32": "en_US"}),
    row(
        "long_query_time",
        "10.000000",
        high="4719230590769954816",
        answers={"-1e300": "0.000000", "1e300": "31536000.000000"},
    ),
    row("max_connections", "151", "1", "100000"),
    row("pages_pct", "90.000000", high="99"),
    row("sql_mode", "", answers={"0": "", "1": "A", "2": "B", "4": "A,B,ANSI"}),
    row("protocol_version", "10"),
]


@pytest.fixture
def told(host):
    host.answers["mysqld"] = Ran(0, HELP, "")
    answer = "\n".join(map(json.dumps, ROWS))
    host.files["/var/lib/trove-rules/answer/variables"] = answer
    return rules.describe(host)


def test_types_ranges_and_words_are_the_engines(told):
    assert told.version == "9.7.4-2"
    live = {"restart_required": False}
    assert told.rules == {
        "autoload": {"type": "boolean", "restart_required": True},
        "block_mode": {
            "type": "string",
            "values": ["one", "two", "three", "4"],
            **live,
        },
        "default_time_zone": {"type": "string", **live},
        "lc_time_names": {"type": "string", **live},
        "long_query_time": {"type": "float", "min": 0.0, "max": 31536000.0, **live},
        "max_connections": {"type": "integer", "min": 1, "max": 100000, **live},
        "pages_pct": {"type": "float", **live},
        "sql_mode": {"type": "string", "members": ["A", "B", "ANSI"], **live},
    }


def test_it_is_asked_as_the_engines_user_and_cleaned_up(host, told):
    assert set(host.deeds) == {"mysqld as mysql"}
    assert "/var/lib/trove-rules" not in host.files


def test_a_question_is_one_statement_a_line(host, told):
    question = host.files["/var/lib/trove-rules/question"].splitlines()
    assert question[0] == "delimiter $$"
    assert all(line.endswith("$$") for line in question)
    assert question[-1] == "SHUTDOWN$$"
