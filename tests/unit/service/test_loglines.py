# SPDX-License-Identifier: Apache-2.0
"""A message is one line, whatever words are in it."""

import logging

import pytest

from trove.service import loglines


@pytest.fixture(autouse=True)
def _as_before():
    before = logging.getLogRecordFactory()
    yield
    logging.setLogRecordFactory(before)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("instance i: up", "instance i: up"),
        ("a\nb\r\x1b[2J\x07", "a\\nb\\r\\x1b[2J\\x07"),
        ("ünï ☃", "ünï ☃"),
        ("a\u2028b\u202ec", "a\\u2028b\\u202ec"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_does_not_print_is_written_out(text, line):
    assert loglines.plain(text) == line


def test_every_record_is_one_line(caplog):
    loglines.be_plain()
    logging.getLogger("trove.test").warning("%s said: %s", "guest", "a\nFORGED")
    (record,) = caplog.records
    assert record.getMessage() == "guest said: a\\nFORGED"


def test_a_traceback_keeps_its_lines(caplog):
    loglines.be_plain()
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("trove.test").exception("failed")
    assert "Traceback" in caplog.text and "\n" in caplog.text
