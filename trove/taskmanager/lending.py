# SPDX-License-Identifier: Apache-2.0
"""Users' ports whose addresses instances have: still theirs, or not spoken for.

A user may delete his port while an instance has its address, and on a network of many
projects somebody else may be given it next. So an instance's port may speak with an
address for as long as the user's port has it, and again when it has it again. The cloud
tells nobody of a port that goes; it is looked at at the reaper's pace.
"""

import logging
import typing

import sqlalchemy as sa

from trove import errors
from trove.cloud.protocol import Cloud
from trove.db.session import Database
from trove.db.tables import CloudThing, Instance
from trove.model import naming
from trove.model.states import ThingState
from trove.workflow import journal

LOG = logging.getLogger(__name__)

ROLE = "port"
"""What an instance's own port is called in its key."""


class Lent(typing.NamedTuple):
    """An instance, its project, the user's port and its addresses, its own port."""

    instance: str
    project: str
    port: str
    addresses: frozenset[str]
    own: str


class Lending:
    """Looks once each time it is asked."""

    def __init__(self, database: Database, cloud: Cloud) -> None:
        self._database, self._network = database, cloud.network

    def round(self) -> None:
        """All of them; what cannot be looked at now is looked at the next time."""
        for lent in self._lent():
            try:
                self._settle(lent)
            except errors.TroveError as fault:
                LOG.warning(
                    "instance %s: its user's port %s cannot be looked at: %s",
                    lent.instance,
                    lent.port,
                    fault,
                )

    def _lent(self) -> list[Lent]:
        with self._database.reading() as tx:
            rows = list(
                tx.scalars(
                    sa.select(Instance).where(
                        Instance.port_id.is_not(None), Instance.deleted_at.is_(None)
                    )
                )
            )
            keys = {naming.key(row.id, ROLE): row for row in rows}
            things = tx.scalars(
                sa.select(CloudThing).where(
                    CloudThing.key.in_(list(keys)),
                    CloudThing.state == ThingState.CREATED,
                )
            )
            return [
                Lent(
                    row.id,
                    row.project,
                    str(row.port_id),
                    frozenset((row.nic or {}).get("virtual", ())),
                    str(thing.external_id),
                )
                for thing in things
                for row in (keys[thing.key],)
            ]

    def _settle(self, lent: Lent) -> None:
        own = self._network.show_port(lent.own)
        if own is None:
            return
        theirs = self._network.show_port(lent.port)
        held: frozenset[str] = frozenset()
        if theirs is not None and theirs.project == lent.project:
            held = lent.addresses & frozenset(theirs.addresses)
        if held == frozenset(own.pairs):
            return
        self._network.set_pairs(own.id, tuple(sorted(held)))
        kind = "port_found" if held == lent.addresses else "port_lost"
        LOG.warning("instance %s: %s, its user's %s", lent.instance, kind, lent.port)
        about = {"port": lent.port, "addresses": sorted(held)}
        self._database.run(
            lambda tx: journal.event(tx, lent.instance, f"instance.{kind}", about)
        )
