# SPDX-License-Identifier: Apache-2.0
"""Root's history: in doubt somebody may be root."""

import pytest

from trove.context import Context
from trove.db.queries import root

ANN, EVE = Context(user="ann", project="demo"), Context(user="eve", project="demo")


def test_an_instance_that_never_had_one(database, instance):
    id = instance()
    with database.reading() as tx:
        assert not root.enabled(tx, id)
        assert root.enabling(tx, id) is None


@pytest.mark.parametrize(
    "deeds, enabled, by",
    [
        ([("enable", "asked")], True, "ann"),
        ([("enable", "done")], True, "ann"),
        ([("enable", "refused")], False, None),
        ([("enable", "done"), ("enable", "refused")], True, "ann"),
        ([("enable", "done"), ("enable", "asked")], True, "eve"),
        ([("enable", "done"), ("disable", "asked")], True, "ann"),
        ([("enable", "done"), ("disable", "refused")], True, "ann"),
        ([("enable", "done"), ("disable", "done")], False, "ann"),
        ([("enable", "done"), ("disable", "done"), ("enable", "done")], True, "ann"),
    ],
)
def test_what_the_deeds_lead_to(database, instance, clock, deeds, enabled, by):
    id, other = instance(), instance()
    for (deed, state), who in zip(deeds, (ANN, EVE, ANN), strict=False):
        with database.transaction() as tx:
            seq = root.write(tx, id, deed, who)
            root.settle(tx, id, seq, state)
        clock.now += 1
    with database.reading() as tx:
        assert root.enabled(tx, id) is enabled
        last = root.enabling(tx, id)
        assert (last and last.user) == by
        assert not root.enabled(tx, other)
