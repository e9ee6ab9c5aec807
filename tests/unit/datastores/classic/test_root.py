# SPDX-License-Identifier: Apache-2.0
"""Who is sent away, and that one who left by itself is away."""

import pymysql
import pytest

from trove.datastores.classic.root import end_sessions


def test_one_that_left_by_itself_is_away(talk):
    talk.known = [(7,), (8,)]
    plain = talk.rows

    def rows(statement, within):
        if statement == "KILL 7":
            raise pymysql.OperationalError(1094, "Unknown thread id: 7")
        return plain(statement, within)

    talk.rows = rows
    end_sessions(talk, "sessions", "user = 'x'")
    assert talk.said == ["SELECT id FROM sessions WHERE user = 'x'", "KILL 8"]


def test_another_failure_is_told(talk):
    talk.known = [(7,)]
    plain = talk.rows

    def rows(statement, within):
        if statement == "KILL 7":
            raise pymysql.OperationalError(1095, "You are not owner of thread 7")
        return plain(statement, within)

    talk.rows = rows
    with pytest.raises(pymysql.MySQLError):
        end_sessions(talk, "sessions", "user = 'x'")
