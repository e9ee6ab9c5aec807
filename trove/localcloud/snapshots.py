# SPDX-License-Identifier: Apache-2.0
"""The keeper's work on snapshots of volumes: a file is made, or goes."""

import logging
import sqlite3

from trove import errors
from trove.localcloud import store as stores
from trove.localcloud import things
from trove.localcloud.disks import Disks

LOG = logging.getLogger(__name__)

PENDING = ("creating", "deleting")
TROUBLE = (errors.TroveError, OSError, sqlite3.Error)


def pending(tx: stores.Transaction) -> list[str]:
    """Those that ask for something."""
    return [each.id for each in tx.all(things.Snapshot) if each.status in PENDING]


def carry(store: stores.Store, disks: Disks, id: str) -> None:
    """One of them is what its row says, or in error."""
    with store.transaction() as tx:
        row = tx.get(things.Snapshot, id)
    if row is None or row.status not in PENDING:
        return
    asked = row.status
    try:
        after = _carried(store, disks, row)
    except TROUBLE as trouble:
        LOG.error("snapshot %s: %s failed: %s", id, asked, trouble)
        after = "error" if asked == "creating" else "error_deleting"
    with store.transaction() as tx:
        row = tx.get(things.Snapshot, id)
        if row is None or row.status != asked:
            return
        if after is None:
            tx.drop(row)
            return
        row.status = after
        tx.put(row)


def _carried(store: stores.Store, disks: Disks, row: things.Snapshot) -> str | None:
    """Its status then; None: it is gone.

    It stays while there is a volume that was made of it. That is a copy here, and would
    not mind, but with Ceph it would: who uses this cloud is to meet it.
    """
    if row.status == "creating":
        disks.take(row.volume, row.id)
        return "available"
    with store.transaction() as tx:
        busy = any(each.snapshot == row.id for each in tx.all(things.Volume))
    if busy:
        LOG.error("snapshot %s is busy: there is a volume that was made of it", row.id)
        return "available"
    disks.forget(row.id)
    return None
