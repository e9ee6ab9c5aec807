# SPDX-License-Identifier: Apache-2.0
"""The keys of projects' backups that a key manager has, as the control database knows.

An entry is never changed: whoever has written a number down first has said which key
that is.
"""

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.session import Database, epoch_now
from trove.db.tables import BackupKey
from trove.storage.managed import Entry


class KeyBook:
    """``storage.managed.Book`` in the control database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self, project: str) -> Entry | None:
        """Of a project; None: it has none yet."""
        statement = (
            sa.select(BackupKey.number, BackupKey.id)
            .where(BackupKey.project == project)
            .order_by(BackupKey.number.desc())
            .limit(1)
        )
        with self._database.reading() as tx:
            found = tx.execute(statement).one_or_none()
        return Entry(*found) if found else None

    def keep(self, project: str, number: int, id: str) -> str:
        """Writes an entry down unless there is one; the id that it has in the end.

        Two at once write one row, and ``Database.run`` lets the loser look again.
        """

        def work(tx: orm.Session) -> str:
            known = tx.get(BackupKey, (project, number))
            if known is not None:
                return known.id
            values = {"project": project, "number": number, "id": id}
            tx.execute(sa.insert(BackupKey).values(created=epoch_now(), **values))
            return id

        return self._database.run(work)

    def projects(self) -> list[str]:
        """Those that have a key, in order."""
        statement = sa.select(BackupKey.project).distinct()
        with self._database.reading() as tx:
            return sorted(tx.scalars(statement))
