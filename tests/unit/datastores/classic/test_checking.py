# SPDX-License-Identifier: Apache-2.0
"""Whose tables are well: the checker's code says nothing, its lines do."""

import pytest

from trove import errors
from trove.datastores.classic import checking
from trove.datastores.mariadb.agent.places import places
from trove.datastores.protocol import Ran

WELL = """\
mysql.db                                           OK
mysql.general_log                                  OK
shop.goods                                         OK
shop.kept
note     : The storage engine for the table doesn't support check
shop.open
warning  : 1 client is using or hasn't closed the table properly
status   : OK
"""
SICK = """\
mysql.db                                           OK
shop.goods
Warning  : InnoDB: The B-tree of index PRIMARY is corrupted.
error    : Corrupt
"""


def check(host, ran):
    host.answers["mariadb-check"] = ran
    checking.check(host, places(host), "mariadb-check")


def test_all_is_well_with_notes_and_warnings(host):
    check(host, Ran(0, WELL, ""))


@pytest.mark.parametrize(
    ("ran", "says"),
    [
        (Ran(0, SICK, ""), "shop.goods Warning.* error : Corrupt"),
        (Ran(0, WELL + "shop.x\nError    : Table 'x' doesn't exist", ""), "shop.x"),
        (Ran(2, "", "mariadb-check: Got error: 2002: Can't connect"), "2002"),
        (Ran(1, WELL, "mariadb-check: Got error: 2013: Lost connection"), "2013"),
        (Ran(0, "", ""), "it looked at nothing"),
        (Ran(-9, WELL, ""), "mariadb-check"),
    ],
)
def test_what_is_not_well_is_told(host, ran, says):
    with pytest.raises(errors.EngineFailed, match=says):
        check(host, ran)


def test_what_does_not_survive_a_power_cut_is_named(talk):
    checking.crash_safe(talk, ("InnoDB", "Aria"))
    (asked,) = talk.said
    assert "NOT IN ('Aria', 'BLACKHOLE', 'FEDERATED', 'InnoDB', 'MEMORY'" in asked
    talk.known = [("shop", "goods", "MyISAM")]
    with pytest.raises(errors.EngineFailed, match=r"shop\.goods .* MyISAM"):
        checking.crash_safe(talk, ("InnoDB",))
