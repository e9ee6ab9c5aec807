# SPDX-License-Identifier: Apache-2.0
"""Certificates that users brought: each owner is told in time that his ends.

Nobody but he can bring the next one. He is told once for each of a few numbers of days,
and once that it has ended: the row says what was told, and changes in the transaction
of the event, so that neither two taskmanagers nor one that dies tell it twice or never.
"""

import datetime
import logging
import typing

from sqlalchemy import orm

from trove.db.queries import certificates
from trove.db.queries.certificates import Ending
from trove.db.session import Database
from trove.workflow import journal

LOG = logging.getLogger(__name__)

DAYS = (30, 7, 1)
BATCH = 100


class Endings:
    """``days``: how many are left when an owner is told."""

    def __init__(self, database: Database, days: typing.Sequence[int] = DAYS) -> None:
        self._database, self._days = database, days

    def round(self) -> None:
        """One look; a transaction for each certificate of which there is news."""
        with self._database.reading() as tx:
            found = certificates.ending(tx, self._days, BATCH)
        for one in found:
            if self._tell(one):
                LOG.warning(
                    "instance %s: its user's certificate has its end on %s",
                    one.instance,
                    _shown(one.ends),
                )

    def _tell(self, one: Ending) -> bool:
        """Whether it was this one who told it."""

        def work(tx: orm.Session) -> bool:
            left = certificates.told(tx, one, self._days)
            if left is None:
                return False
            about: dict[str, typing.Any] = {"expires": _shown(one.ends)}
            kind = "instance.ssl.ended"
            if left > 0:
                kind = "instance.ssl.ending"
                about["days"] = int(left // certificates.DAY)
            journal.event(tx, one.instance, kind, about)
            return True

        return self._database.run(work)


def _shown(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat()
