# SPDX-License-Identifier: Apache-2.0
"""The reaper: what is in the cloud, against what the ledger says (operations.md, 10).

The ledger is written before anything is made, so no guess by age is needed. A thing
whose key the ledger calls gone, or whose key belongs to another id, is nobody's and is
deleted. What the ledger never heard of (the control database may have been restored
from a backup) and every data volume is *quarantined*: named to the operator, never
deleted.
"""

import dataclasses
import logging
import typing

import sqlalchemy as sa

from trove import errors
from trove.cloud.protocol import Cloud
from trove.db.session import Database
from trove.db.tables import Backup, CloudThing, Instance, Operation
from trove.model import backups, naming
from trove.model.states import ThingState

LOG = logging.getLogger(__name__)


class GuestUsers(typing.Protocol):
    """The broker's users."""

    def guests(self) -> list[str]: ...

    def remove_guest(self, instance: str) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A thing in the cloud that nobody owns."""

    kind: str
    id: str
    key: str | None
    why: str
    quarantine: bool


class Reaper:
    """Looks once each time it is asked."""

    def __init__(self, database: Database, cloud: Cloud, users: GuestUsers) -> None:
        self._database, self._cloud, self._users = database, cloud, users
        self._told: set[str] = set()

    def look(self) -> list[Found]:
        """Every thing that nobody owns; nothing is changed."""
        found: list[Found] = []
        # the cloud first: what is made after this look is in the ledger before it is
        listed = self._listed()
        with self._database.reading() as tx:
            rows = {row.key: row for row in tx.scalars(sa.select(CloudThing))}
            held = {
                lock.split(":", 1)[1]
                for lock in tx.scalars(
                    sa.select(Operation.lock_key).where(Operation.lock_key.is_not(None))
                )
                if lock
            }
            # a backup is made by its instance's operation
            made = sa.select(Backup.id).where(Backup.state.in_(backups.RUNNING))
            held |= set(tx.scalars(made))
        for kind, id, key in listed:
            why = _nobodys(rows.get(key or ""), id, key, held)
            if why is not None:
                unknown = key is None or key not in rows
                found.append(Found(kind, id, key, why, unknown or kind == "volume"))
        return found

    def reap(self) -> list[Found]:
        """Deletes what is nobody's and holds no data; tells of the rest, once."""
        found = self.look()
        for thing in found:
            if thing.quarantine:
                self._tell(thing)
                continue
            LOG.warning(
                "reaping %s %s (%s): %s", thing.kind, thing.id, thing.key, thing.why
            )
            try:
                self._delete(thing)
            except errors.TroveError as fault:
                LOG.warning("cannot reap %s %s yet: %s", thing.kind, thing.id, fault)
        self._users_of_nobody()
        return found

    # -- inside --------------------------------------------------------------------

    def _listed(self) -> list[tuple[str, str, str | None]]:
        cloud = self._cloud
        # servers before what they hold, so that a later pass finds it free
        return [
            *(("server", s.id, s.key) for s in cloud.compute.owned()),
            *(("server_group", g.id, g.key) for g in cloud.server_groups.owned()),
            *(("floating_ip", f.id, f.key) for f in cloud.network.owned_floating_ips()),
            *(("port", p.id, p.key) for p in cloud.network.owned_ports()),
            *(("group", g.id, g.key) for g in cloud.network.owned_groups()),
            *(("snapshot", s.id, s.key) for s in cloud.snapshots.owned()),
            *(("volume", v.id, v.key) for v in cloud.volumes.owned()),
        ]

    def _delete(self, thing: Found) -> None:
        delete = {
            "server": self._cloud.compute.delete,
            "server_group": self._cloud.server_groups.delete,
            "floating_ip": self._cloud.network.delete_floating_ip,
            "port": self._cloud.network.delete_port,
            "group": self._cloud.network.delete_group,
            "snapshot": self._cloud.snapshots.delete,
        }[thing.kind]
        delete(thing.id)

    def _tell(self, thing: Found) -> None:
        if thing.id not in self._told:
            self._told.add(thing.id)
            LOG.error(
                "quarantine: %s %s (%s) is nobody's: %s. It is left alone; see "
                "'trove-manage audit'.",
                thing.kind,
                thing.id,
                thing.key,
                thing.why,
            )

    def _users_of_nobody(self) -> None:
        there = self._users.guests()
        with self._database.reading() as tx:
            known = {
                row.id: row.deleted_at
                for row in tx.scalars(sa.select(Instance).where(Instance.id.in_(there)))
            }
            keys = [naming.key(id, "user") for id in there]
            gone = {
                naming.owner(row.key)
                for row in tx.scalars(
                    sa.select(CloudThing).where(CloudThing.key.in_(keys))
                )
                if row.state == ThingState.GONE
            }
        for instance in there:
            if instance in gone and known.get(instance) is not None:
                LOG.warning("reaping the broker user of deleted instance %s", instance)
                self._users.remove_guest(instance)


def _nobodys(
    row: CloudThing | None, id: str, key: str | None, held: set[str]
) -> str | None:
    """Why a listed thing is nobody's, or None."""
    if row is None:
        return "the ledger does not know its key"
    if row.state == ThingState.GONE:
        return "the ledger says it is gone"
    if row.state == ThingState.RETAINED:
        return None
    if row.state == ThingState.CREATED and row.external_id != id:
        if row.owner in held:
            return None  # its operation may be looking right now
        return f"its key belongs to {row.external_id}"
    if row.state == ThingState.INTENT and row.owner not in held:
        return "nobody is making it any more"
    return None
