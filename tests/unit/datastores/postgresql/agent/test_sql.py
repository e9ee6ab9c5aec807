# SPDX-License-Identifier: Apache-2.0
"""What PostgreSQL refuses becomes an error of ours."""

import psycopg
import pytest
from psycopg.sql import Identifier, Literal

from trove import errors
from trove.datastores.postgresql.agent import sql


def test_what_cannot_be_met_is_told_from_what_failed():
    for refused in (psycopg.errors.UndefinedObject, psycopg.errors.InvalidCatalogName):
        assert isinstance(sql.error(refused("x")), errors.Invalid)
    assert isinstance(sql.error(psycopg.errors.DiskFull("x")), errors.EngineFailed)
    assert isinstance(sql.error(psycopg.OperationalError("x")), errors.EngineFailed)


def test_parts_are_quoted():
    made = sql.fill("DROP ROLE {r} {p}", r=Identifier('a"; --'), p=Literal("'\\"))
    assert made.as_string(None) == "DROP ROLE \"a\"\"; --\"  E'''\\\\'"


@pytest.mark.parametrize(
    "said",
    [
        "FATAL:  sorry, too many clients already",
        "FATAL:  remaining connection slots are reserved for non-replication superuser "
        "connections",
    ],
)
def test_a_full_server_is_known_by_its_words(said):
    assert sql.NO_CONNECTION_FREE.search(said)


def test_no_server_is_an_error_of_ours(tmp_path):
    with pytest.raises(errors.EngineFailed):
        with sql.talk(str(tmp_path), 1):
            pass
