# SPDX-License-Identifier: Apache-2.0
"""The recycle bin is emptied: what was kept for its time goes.

Every taskmanager looks; each end is an operation, of which there is one at a time.
"""

import logging
import typing

from trove import errors
from trove.actions import recycled
from trove.db.queries import recycled as rows
from trove.db.session import Database

LOG = logging.getLogger(__name__)

BATCH = 50
"""Of one look: after an outage not all that is late falls upon the cloud at once."""


class Recycling:
    """``round`` is called by a periodic part; ``ring`` tells of an operation."""

    def __init__(
        self, database: Database, ring: typing.Callable[[str], object]
    ) -> None:
        self._database, self._ring = database, ring

    def round(self) -> None:
        """One look; a transaction for each whose time is over."""
        with self._database.reading() as tx:
            due = rows.due(tx, BATCH)
        for instance in due:
            self._end(instance)

    def _end(self, instance: str) -> None:
        try:
            operation = self._database.run(lambda tx: recycled.take_turn(tx, instance))
        except errors.InstanceBusy:  # another taskmanager was faster
            return
        if operation is not None:
            LOG.info("instance %s: what was kept of it goes", instance)
            self._ring(operation)
