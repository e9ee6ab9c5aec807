# SPDX-License-Identifier: Apache-2.0
"""Volumes that are kept for snapshots, on each database: for how long, and who ends it.

The step of the product runs on the rows; only the claim around it is left out.
"""

import types
import typing

import pytest
import sqlalchemy as sa

from tests.contract.db.test_recount import make
from trove.db.queries import snapshots
from trove.db.session import Database
from trove.db.tables import Backup, CloudThing, Instance, Operation, RecycledInstance
from trove.flows import backup_delete
from trove.model import naming, operations
from trove.workflow import journal
from trove.workflow.flow import Settle, Wait

GONE = 5.0


def write(database: Database, *rows: typing.Any) -> None:
    with database.transaction() as tx:
        tx.add_all(rows)


def thing(owner: str, kind: str, state: str) -> CloudThing:
    about = {"operation_id": "op", "external_id": kind, "created": 1.0, "updated": 1.0}
    return CloudThing(
        key=naming.key(owner, kind), kind=kind, owner=owner, state=state, **about
    )


def backup(id: str, instance: str, **columns: typing.Any) -> Backup:
    about = {"project": "demo", "name": id, "version_id": "v", "container": ""}
    about |= {"state": "DELETING", "created": 1.0, "updated": 1.0, "driver": "cinder"}
    return Backup(id=id, instance_id=instance, **(about | columns))


def change(database: Database, table: typing.Any, id: str, **columns: object) -> None:
    with database.transaction() as tx:
        row = tx.get_one(table, id)
        for name, value in columns.items():
            setattr(row, name, value)


@pytest.fixture
def kept(database: Database) -> Database:
    """Instance ``i`` is deleted, its volume is kept, and ``b`` is a snapshot of it."""
    make(database, "i")
    change(database, Instance, "i", deleted_at=GONE, volume_id="volume")
    write(
        database,
        thing("i", "volume", "retained"),
        thing("b", "snapshot", "created"),
        backup("b", "i"),
    )
    return database


def ended(database: Database, id: str = "b") -> Settle | Wait:
    """What the step says after the snapshot of a backup is gone."""
    input = operations.DeleteBackup((id,)).to_dict()
    operation = types.SimpleNamespace(input=input, request_id="req-1", user="u")
    claim = types.SimpleNamespace(database=database)
    ctx: typing.Any = types.SimpleNamespace(operation=operation, claim=claim)
    said = backup_delete.let_volume_go(ctx)
    if isinstance(said, Settle):
        database.run(said.work)
    return said


def opened(database: Database) -> list[str]:
    with database.reading() as tx:
        return list(tx.scalars(sa.select(Operation.kind).order_by(Operation.created)))


def test_a_volume_stands_while_the_ledger_has_a_snapshot_of_it(kept: Database) -> None:
    make(kept, "j")
    with kept.reading() as tx:
        assert snapshots.stands(tx, "i") and not snapshots.stands(tx, "j")
        assert snapshots.owed(tx, "i") is None
    change(kept, CloudThing, "b.snapshot", state="gone")
    with kept.reading() as tx:
        assert not snapshots.stands(tx, "i")
        owed = snapshots.owed(tx, "i")
        assert owed is not None and owed.id == "i"
        assert snapshots.owed(tx, "j") is None


def test_it_goes_with_the_last_of_them_once(kept: Database) -> None:
    write(kept, backup("c", "i"), thing("c", "snapshot", "created"))
    change(kept, CloudThing, "b.snapshot", state="gone")
    assert isinstance(ended(kept), Settle)
    assert opened(kept) == []
    change(kept, CloudThing, "c.snapshot", state="gone")
    assert isinstance(ended(kept, "c"), Settle)
    assert opened(kept) == [operations.RECLAIM]
    assert isinstance(ended(kept, "c"), Wait)  # that ends it: nothing else is begun
    assert opened(kept) == [operations.RECLAIM]


@pytest.mark.parametrize(
    "kind", [operations.DELETE, operations.RECLAIM, operations.UNDELETE]
)
def test_who_decides_of_the_volume_now_is_waited_for(kept: Database, kind: str) -> None:
    """It may have seen the snapshot that is gone by now, and keep the volume for it."""
    change(kept, CloudThing, "b.snapshot", state="gone")
    change(kept, Instance, "i", deleted_at=None)
    about: dict[str, typing.Any] = {"project": "demo", "object_type": "instance"}
    about |= {"object_id": "i"}
    about |= {"request_id": "req-1", "input": None, "deadline": 60.0}
    with kept.transaction() as tx:
        live = journal.open(tx, kind=kind, **about)
    assert isinstance(ended(kept), Wait)
    change(kept, Operation, live, state="done", lock_key=None)
    change(kept, Instance, "i", deleted_at=GONE)
    assert isinstance(ended(kept), Settle)
    assert opened(kept) == [kind, operations.RECLAIM]


def test_what_is_in_the_bin_or_alive_or_in_a_store_keeps_its_volume(
    kept: Database,
) -> None:
    change(kept, CloudThing, "b.snapshot", state="gone")
    write(kept, backup("s", "i", driver="swift"))
    assert isinstance(ended(kept, "s"), Settle)
    assert opened(kept) == []
    change(kept, Instance, "i", deleted_at=None)
    assert isinstance(ended(kept), Settle)
    assert opened(kept) == []
    change(kept, Instance, "i", deleted_at=GONE)
    entry = RecycledInstance(instance_id="i", project="demo", reclaim_at=9e9)
    entry.modules = []
    write(kept, entry)
    assert isinstance(ended(kept), Settle)
    assert opened(kept) == []
