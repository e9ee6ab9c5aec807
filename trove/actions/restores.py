# SPDX-License-Identifier: Apache-2.0
"""What an instance may be made of: a backup, and all that it stands on.

Contract, 6.2 and 9.5. The backup is looked at twice: for the version it is of, before
the cloud is asked for anything, and held, in the transaction that makes the instance.
"""

import typing

from sqlalchemy import orm

from trove import errors
from trove.actions.orders import Order
from trove.db.queries import backups, datastores
from trove.db.tables import Backup, Datastore, DatastoreVersion
from trove.model import backups as model
from trove.model.backups import SNAPSHOT

GIB = 2**30


def version(
    tx: orm.Session, order: Order, project: str | None
) -> tuple[Datastore, DatastoreVersion]:
    """The version of the backup, which is the only one that its data are for.

    One that is hidden from users by now is as good as any: what is in the backup is of
    it. Raises ``BackupNotFound``, ``Invalid`` when another was asked for.
    """
    row = backups.load(tx, _id(order), project)
    owner, version = datastores.version_by_id(tx, row.version_id, inactive=True)
    same = (
        order.datastore in (None, owner.id, owner.name)
        and order.version in (None, version.id, version.name)
        and order.version_number in (None, version.number)
    )
    if not same:
        raise errors.Invalid(
            f"Backup {row.id} is of {owner.name} {version.name}; no other datastore or "
            "version reads its files as they are. Restore it into that one, and then "
            "upgrade the instance."
        )
    return owner, version


def hold(tx: orm.Session, order: Order, project: str | None) -> None:
    """Nobody takes the backup away, nor what it stands on, before the transaction ends.

    Raises ``BackupNotComplete``, and ``BackupTooLarge`` for a volume of less than what
    is in it.
    """
    row = backups.load(tx, _id(order), project)
    hold_chain(tx, row)
    needed = -(-(row.size or 0) // GIB)
    if row.driver == SNAPSHOT and order.volume_size is None:
        raise errors.Invalid(
            f"Backup {row.id} is a snapshot of a volume: it needs a volume."
        )
    if order.volume_size is not None and order.volume_size < needed:
        raise errors.BackupTooLarge(id=row.id, needed=needed, size=order.volume_size)


def hold_chain(tx: orm.Session, row: Backup) -> None:
    """The same of a backup and what it stands on; ``BackupNotComplete`` when it does
    not restore."""
    held = backups.hold_all(tx, row.instance_id)
    try:
        model.chain(map(backups.link, held), row.id)
    except (model.NotWhole, model.NoChain) as why:
        raise errors.BackupNotComplete(id=row.id, why=why) from None


def _id(order: Order) -> str:
    return typing.cast(str, order.restore)
