# SPDX-License-Identifier: Apache-2.0
"""Whoever waits for a server or a volume is woken when the cloud says it has changed.

The cloud tells of everybody's: what is not ours is not in the ledger, and costs a part
of one query. A wake-up that is lost, for the database was away, costs a poll.
"""

import logging
import typing

from sqlalchemy import orm

from trove import errors
from trove.db.queries import things
from trove.db.session import Database
from trove.model.operations import INSTANCE
from trove.workflow import journal

LOG = logging.getLogger(__name__)


class Wakeups:
    """``ring`` is told each operation that is due now."""

    def __init__(
        self, database: Database, ring: typing.Callable[[str], object]
    ) -> None:
        self._database, self._ring = database, ring

    def heard(self, changed: typing.AbstractSet[str]) -> None:
        """These servers and volumes have changed; some may be ours."""

        def work(tx: orm.Session) -> list[str]:
            owners = things.owners(tx, changed)
            woken = (journal.wake_object(tx, INSTANCE, id) for id in owners)
            return [operation for operation in woken if operation is not None]

        try:
            for operation in self._database.run(work):
                self._ring(operation)
        except errors.Unavailable as error:
            LOG.warning("what the cloud said of %d things: %s", len(changed), error)
