# SPDX-License-Identifier: Apache-2.0
"""Backups that wait to be verified are, one after another, as many at once as may be.

Every taskmanager looks; a place is taken by the compare-and-set of a quota, so that
neither two of them nor one that dies take one too many.
"""

import logging

from trove import errors
from trove.actions import verifications
from trove.actions.services import Services
from trove.db.queries import verifications as rows
from trove.flows.context import passing

LOG = logging.getLogger(__name__)

BATCH = 100
"""Of one look: more than may be verified at once."""


class Verifications:
    """``round`` is called by a periodic part."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def round(self) -> None:
        """Begins with who waits longest, until there is no place."""
        with self._services.database.reading() as tx:
            waiting = rows.waiting(tx, BATCH)
        for backup in waiting:
            if not self._begin(backup):
                return

    def _begin(self, backup: str) -> bool:
        """False: there is no place for another one."""
        try:
            operation = verifications.start(self._services, backup)
        except errors.OverLimit:
            return False
        except errors.TroveError as fault:
            if passing(fault) is not None:
                raise  # nothing is known of this one: the next look
            verifications.give_up(self._services, backup, fault)
            LOG.warning("backup %s: it cannot be verified: %s", backup, fault)
            return True
        if operation is not None:
            LOG.info("backup %s: its verification is begun", backup)
            self._services.ring(operation)
        return True
