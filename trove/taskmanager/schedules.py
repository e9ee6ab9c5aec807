# SPDX-License-Identifier: Apache-2.0
"""Backups that are made and taken away by themselves, as policies say.

Every taskmanager looks; a turn is taken in one transaction that holds the policy, so
that neither two of them nor one that dies take it twice or never.
"""

import logging

from trove import errors
from trove.actions import turns
from trove.actions.services import Services
from trove.db.queries import schedules
from trove.db.queries.schedules import Ended

LOG = logging.getLogger(__name__)

BATCH = 100
"""Of one look. After an outage every policy is late: they begin so many at a time, for
all of them bring their data to one store."""


class Schedules:
    """``round`` and ``retain`` are called by periodic parts, each at its own pace."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._database = services.database

    def round(self) -> None:
        """Hears of the backups that are over, and begins those that are due."""
        with self._database.reading() as tx:
            ended = schedules.ended(tx, BATCH)
        for one in ended:
            self._note(one)
        with self._database.reading() as tx:
            due = schedules.due(tx, BATCH)
        for instance in due:
            self._begin(instance)

    def _note(self, ended: Ended) -> None:
        self._database.run(lambda tx: turns.note(tx, ended))
        if ended.failed:
            LOG.warning(
                "instance %s: its scheduled backup %s failed",
                ended.instance,
                ended.backup,
            )

    def _begin(self, instance: str) -> None:
        try:
            operation = self._database.run(
                lambda tx: turns.take_turn(self._services, tx, instance)
            )
        except errors.Unavailable:
            raise  # the database's: nothing is known of this instance
        except errors.TroveError as fault:
            self._put_off(instance, fault)
            return
        if operation is not None:
            LOG.info("instance %s: its scheduled backup is begun", instance)
            self._services.ring(operation)

    def _put_off(self, instance: str, fault: errors.TroveError) -> None:
        self._database.run(lambda tx: turns.put_off(tx, instance, fault))
        LOG.info("instance %s: its scheduled backup waits: %s", instance, fault)

    # -- retention ---------------------------------------------------------------------

    def retain(self) -> None:
        """Takes away what is kept for no longer, instance by instance."""
        after = ""
        while True:
            with self._database.reading() as tx:
                page = schedules.page(tx, BATCH, after)
                wanted = turns.wanting(tx, page)
            for instance in wanted:
                self._retain(instance)
            if len(page) < BATCH:
                return
            after = page[-1].instance_id

    def _retain(self, instance: str) -> None:
        for operation in self._database.run(lambda tx: turns.retain(tx, instance)):
            LOG.info("instance %s: an old backup of its goes", instance)
            self._services.ring(operation)
