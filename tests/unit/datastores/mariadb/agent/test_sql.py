# SPDX-License-Identifier: Apache-2.0
"""Quoting for MariaDB."""

import pymysql
import pytest

from trove import errors
from trove.datastores.mariadb.agent import sql


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


def test_the_hash_is_the_one_the_server_makes():
    assert sql.native_hash("password") == "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"


def test_what_cannot_be_met_is_told_from_what_failed():
    unknown = pymysql.OperationalError(1115, "Unknown character set: 'x'")
    assert isinstance(sql.error(unknown), errors.Invalid)
    failed = pymysql.OperationalError(1114, "The table is full")
    assert isinstance(sql.error(failed), errors.EngineFailed)
    assert sql.code(pymysql.OperationalError("no number")) == 0


def test_no_server_is_an_error_of_ours(tmp_path):
    with pytest.raises(errors.EngineFailed):
        with sql.talk(str(tmp_path / "none.sock")):
            pass
