# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/datastores/classic/rows.py: what stands for a row, and what goes with
another table's."""

import pytest

from trove.datastores.classic import rows

A, B, C, D = (("shop", name) for name in "abcd")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int(11) unsigned", "`n`"),
        ("DECIMAL(30,10)", "`n`"),
        ("timestamp(3)", "`n`"),
        ("float", "(`n` + 0e0)"),
        ("bit(17)", "(`n` + 0)"),
        ("varchar(40)", "SHA2(`n`, 256)"),
        ("enum('a','b|')", "SHA2(`n`, 256)"),
        ("json", "SHA2(CAST(`n` AS CHAR), 256)"),
        ("geometry", "SHA2(HEX(`n`), 256)"),
        ("something of a later release", "SHA2(HEX(`n`), 256)"),
        ("", "SHA2(HEX(`n`), 256)"),
    ],
)
def test_no_value_can_be_taken_for_two(kind, value):
    """A bar is in none of them: it stands for no value, and between two."""
    assert rows._value("n", kind) == f"IF(`n` IS NULL, '|', {value})"


def test_a_name_is_quoted_whatever_it_is():
    hostile = "a`; DROP TABLE b -- \n%s"
    quoted = "`a``; DROP TABLE b -- \n%s`"
    assert rows._value(hostile, "int") == f"IF({quoted} IS NULL, '|', {quoted})"


def test_what_is_computed_when_it_is_read_is_not_read():
    def column(extra):
        return "n", "int", "YES", "", None, extra

    assert not rows._kept(column("VIRTUAL GENERATED"))
    assert not rows._kept(column("virtual generated INVISIBLE"))
    for extra in ("STORED GENERATED", "INVISIBLE", "auto_increment", ""):
        assert rows._kept(column(extra))


def test_rows_that_go_with_those_of_another_table_go_with_theirs_too():
    pointing = {A: {B}, B: {C, A}, D: {A}}
    assert rows.spread({A}, pointing) == {A, B, C}
    assert rows.spread({C}, pointing) == {C}
    assert rows.spread(set(), pointing) == set()


def test_a_statement_that_is_left_over_is_known_by_its_words():
    said = rows._statement("`shop`.`goods`", ["`n`"])
    begin = rows.LEFT_OVER.partition(" LIKE '")[2].removesuffix("%'")
    assert said.startswith(begin)
    assert begin not in f"SELECT id FROM processlist WHERE {rows.LEFT_OVER}"[:30]
