# SPDX-License-Identifier: Apache-2.0
"""Quotas: what is refused, and counters that stay right."""

import pytest

from trove import errors
from trove.db.queries import quotas

DEFAULTS = {"instances": 2, "ram": 4096, "volumes": -1}
COST = {"instances": 1, "ram": 2048, "volumes": 5}


def counters(tx, project="demo"):
    return {
        row["resource"]: (row["in_use"], row["reserved"])
        for row in quotas.rows(tx, project, DEFAULTS)
        if row["in_use"] or row["reserved"]
    }


def test_a_reservation_becomes_usage_and_is_given_back(database):
    with database.transaction() as tx:
        quotas.reserve(tx, "demo", COST, DEFAULTS)
        assert counters(tx) == {
            "instances": (0, 1),
            "ram": (0, 2048),
            "volumes": (0, 5),
        }
        quotas.settle(tx, "demo", COST)
        assert counters(tx) == {
            "instances": (1, 0),
            "ram": (2048, 0),
            "volumes": (5, 0),
        }
        quotas.give_back(tx, "demo", COST)
        assert counters(tx) == {}


def test_a_reservation_is_released(database):
    with database.transaction() as tx:
        quotas.reserve(tx, "demo", COST, DEFAULTS)
        quotas.release(tx, "demo", COST)
        assert counters(tx) == {}


def test_all_that_is_short_is_named_and_nothing_is_kept(database):
    with database.transaction() as tx:
        quotas.reserve(tx, "demo", COST, DEFAULTS)
    big = {"instances": 2, "ram": 9000, "volumes": 10_000}
    with (
        pytest.raises(errors.QuotaExceeded, match=r"\['instances', 'ram'\]"),
        database.transaction() as tx,
    ):
        quotas.reserve(tx, "demo", big, DEFAULTS)
    with database.reading() as tx:
        assert counters(tx) == {
            "instances": (0, 1),
            "ram": (0, 2048),
            "volumes": (0, 5),
        }


def test_the_last_place_is_given_once(database):
    with database.transaction() as tx:
        for _ in range(2):
            quotas.reserve(tx, "demo", {"instances": 1}, DEFAULTS)
        with pytest.raises(errors.QuotaExceeded):
            quotas.reserve(tx, "demo", {"instances": 1}, DEFAULTS)
        quotas.reserve(tx, "other", {"instances": 2}, DEFAULTS)


def test_a_limit_of_its_own_counts_more_than_the_default(database):
    with database.transaction() as tx:
        quotas.set_limits(tx, "demo", {"instances": 0, "ram": -1})
        with pytest.raises(errors.QuotaExceeded, match="instances"):
            quotas.reserve(tx, "demo", {"instances": 1, "ram": 10**6}, DEFAULTS)
        quotas.reserve(tx, "demo", {"ram": 10**6}, DEFAULTS)
        quotas.set_limits(tx, "demo", {"instances": 1})
        quotas.reserve(tx, "demo", {"instances": 1}, DEFAULTS)


def test_limits_below_what_is_used_only_refuse_more(database):
    with database.transaction() as tx:
        quotas.reserve(tx, "demo", COST, DEFAULTS)
        quotas.settle(tx, "demo", COST)
        quotas.set_limits(tx, "demo", {"instances": 0})
        quotas.give_back(tx, "demo", COST)
        assert counters(tx) == {}


def test_every_resource_is_shown(database):
    with database.reading() as tx:
        assert quotas.rows(tx, "demo", DEFAULTS) == [
            {"resource": name, "in_use": 0, "reserved": 0, "limit": limit}
            for name, limit in [
                ("instances", 2),
                ("ram", 4096),
                ("volumes", -1),
                ("backups", -1),
            ]
        ]


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        ({"floppies": 1}, errors.QuotaResourceUnknown),
        ({"ram": -2}, errors.Invalid),
    ],
)
def test_a_wrong_limit_is_refused(database, limits, error):
    with database.transaction() as tx, pytest.raises(error):
        quotas.set_limits(tx, "demo", limits)


def test_what_was_never_taken_cannot_be_given_back(database):
    with database.transaction() as tx:
        quotas.reserve(tx, "demo", {"instances": 1}, DEFAULTS)
        for wrong in (quotas.give_back, quotas.settle):
            with pytest.raises(errors.Internal):
                wrong(tx, "demo", {"instances": 2})
        assert counters(tx) == {"instances": (0, 1)}
