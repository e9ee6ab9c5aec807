# SPDX-License-Identifier: Apache-2.0
"""Quoting, and what an engine refuses as an error of ours."""

import pymysql
import pytest

from trove import errors
from trove.datastores.classic import sql


@pytest.mark.parametrize(
    "name, quoted",
    [("a", "`a`"), ("a`b", "`a``b`"), ("`; DROP", "```; DROP`"), ("a\\", "`a\\`")],
)
def test_an_identifier_stays_in_its_quotes(name, quoted):
    assert sql.identifier(name) == quoted


@pytest.mark.parametrize(
    "name, quoted",
    [("a_b", "`a\\_b`"), ("%", "`\\%`"), ("a\\b", "`a\\\\b`"), ("a`_", "`a``\\_`")],
)
def test_a_pattern_matches_its_name_only(name, quoted):
    assert sql.pattern(name) == quoted


@pytest.mark.parametrize(
    "text, quoted", [("a'b", "'a\\'b'"), ("a\\", "'a\\\\'"), ("é%", "'é%'")]
)
def test_a_literal_stays_in_its_quotes(text, quoted):
    assert sql.literal(text) == quoted


def test_what_cannot_be_met_is_told_from_what_failed():
    unknown = pymysql.OperationalError(1115, "Unknown character set: 'x'")
    assert isinstance(sql.error(unknown), errors.Invalid)
    failed = pymysql.OperationalError(1114, "The table is full")
    assert isinstance(sql.error(failed), errors.EngineFailed)
    assert sql.code(pymysql.OperationalError("no number")) == 0


def test_no_server_is_an_error_of_ours(tmp_path):
    with pytest.raises(errors.EngineFailed):
        with sql.opened(sql.Talk, str(tmp_path / "none.sock"), 1.0):
            pass


def test_what_an_engine_did_not_understand_is_not_repeated():
    """It would say a part of the statement, which may have a password in it."""
    said = pymysql.ProgrammingError(1064, "a syntax error near 'clear text' at line 1")
    assert "clear" not in str(sql.error(said))


@pytest.mark.parametrize("name", ["a_b", "%", "a\\b", "\\_", "plain", "\\\\%"])
def test_a_pattern_is_read_as_the_name_it_was_written_for(name):
    assert sql.unescaped(sql.escaped(name)) == name


def test_only_a_server_that_is_full_is_crowded():
    assert sql.crowded(pymysql.OperationalError(1040, "Too many connections"))
    assert not sql.crowded(pymysql.OperationalError(1045, "Access denied"))
    assert not sql.crowded(OSError(1040, "another number"))
