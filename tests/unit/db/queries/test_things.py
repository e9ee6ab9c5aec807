# SPDX-License-Identifier: Apache-2.0
"""Things are found by what the cloud calls them."""

from trove.db.queries import things
from trove.db.tables import CloudThing


def thing(key, external_id, owner):
    return CloudThing(
        key=key,
        kind="server",
        external_id=external_id,
        owner=owner,
        operation_id="o",
        state="created",
        created=0,
        updated=0,
    )


def test_owners_are_told_once_and_strangers_not_at_all(database):
    with database.transaction() as tx:
        tx.add_all(
            [
                thing("a.server", "s-a", "a"),
                thing("a.volume", "v-a", "a"),
                thing("b.server", "s-b", "b"),
                thing("c.server", None, "c"),
            ]
        )
    with database.reading() as tx:
        assert things.owners(tx, {"s-a", "v-a", "s-b", "x"}) == ["a", "b"]
        assert things.owners(tx, {"x"}) == []
