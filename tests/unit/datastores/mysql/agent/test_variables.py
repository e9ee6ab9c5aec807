# SPDX-License-Identifier: Apache-2.0
"""A group's values in a MySQL on paper; the living ones are in the contract."""

import pymysql
import pytest

from trove import errors
from trove.datastores.mysql.agent.variables import Variables

GROUP = "/etc/50-group.cnf"
UNITS = [
    ("innodb_buffer_pool_chunk_size", "1048576", "EXPLICIT", "/etc/10-flavor.cnf"),
    ("innodb_buffer_pool_instances", "2", "EXPLICIT", "/etc/10-flavor.cnf"),
    ("innodb_buffer_pool_size", "33554432", "EXPLICIT", "/etc/10-flavor.cnf"),
]


class Server:
    """Says its variables, and takes what is set unless it is fixed."""

    def __init__(self, *rows, fixed=(), deaf=()):
        self.values = {row[0]: row for row in (*UNITS, *rows)}
        self.fixed, self.deaf = fixed, deaf
        self.said = []

    def rows(self, statement, within):
        if statement.startswith("SELECT"):
            return list(self.values.values())
        self.said.append(statement)
        if statement.startswith("SET GLOBAL"):
            _, _, name, _, value = statement.split()
            if name in self.fixed:
                raise pymysql.OperationalError(1238, "is a read only variable")
            if name not in self.deaf:
                self.values[name] = (name, value.strip("'"), "DYNAMIC", "")
        return []


def take(server, group, lower=None):
    names = [name for name in server.values if name not in dict.fromkeys(UNITS)]
    return Variables(server, names, GROUP).take(group, lower or {})


def test_what_can_change_is_set_and_what_cannot_waits():
    server = Server(
        ("live", "1", "COMPILED", ""), ("slow", "1", "COMPILED", ""), fixed=("slow",)
    )
    assert take(server, {"live": 2, "slow": 2}) == ("slow",)
    assert server.values["live"][1] == "2"


def test_what_has_its_value_does_not_wait():
    server = Server(("slow", "2", "EXPLICIT", GROUP), fixed=("slow",))
    assert take(server, {"slow": 2}) == ()


def test_what_a_group_gave_is_taken_away_and_nothing_else_is():
    server = Server(
        ("given", "2", "EXPLICIT", GROUP),
        ("set", "2", "DYNAMIC", ""),
        ("others", "2", "EXPLICIT", "/etc/10-flavor.cnf"),
    )
    assert take(server, {}, {"set": 7}) == ()
    assert set(server.said[1:]) == {"SET GLOBAL given = DEFAULT", "SET GLOBAL set = 7"}


def test_a_value_that_did_not_come_is_told():
    server = Server(("deaf", "1", "COMPILED", ""), deaf=("deaf",))
    with pytest.raises(errors.EngineFailed, match="deaf was set to 9, and is 1"):
        take(server, {"deaf": 9})


def test_a_pool_is_made_of_whole_chunks():
    server = Server(deaf=("innodb_buffer_pool_size",))
    assert take(server, {"innodb_buffer_pool_size": 33554431}) == ()


@pytest.mark.parametrize("before, after", [(5, 9), (9, 5)])
def test_what_another_bounds_is_set_again(before, after):
    """Neither order of the two is right for both ways."""

    class Pair(Server):
        def rows(self, statement, within):
            rows = super().rows(statement, within)
            low, high = (int(self.values[name][1]) for name in ("low", "low_max"))
            if low > high:
                name = "low" if " low = " in statement else "low_max"
                self.values[name] = (
                    name,
                    str(min(low, high) if name == "low" else low),
                    "DYNAMIC",
                    "",
                )
            return rows

    server = Pair(*((n, str(before), "DYNAMIC", "") for n in ("low", "low_max")))
    names = ["low", "low_max"]
    assert Variables(server, names, GROUP).take(dict.fromkeys(names, after), {}) == ()
