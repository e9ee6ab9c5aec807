# SPDX-License-Identifier: Apache-2.0
"""The end of an archive, told to its instance's owner, whoever finds it over."""

from sqlalchemy import orm

from trove.db.queries import archives
from trove.db.tables import Archive
from trove.workflow import journal

GAP, ENDED = "instance.archive_gap", "instance.archive_ended"


def close(tx: orm.Session, row: Archive, reason: str, *, gap: bool) -> bool:
    """Nothing more comes of it; False: it was over already.

    ``gap``: a piece of the log is lost, and another archive begins behind it.
    """
    if not archives.close(tx, row.id, reason, gap=gap):
        return False
    about = {"archive": row.id, "why": reason}
    journal.event(tx, row.instance_id, GAP if gap else ENDED, about)
    return True


def rebuilt(tx: orm.Session, instance: str) -> None:
    """The server of an instance is another one from now on: what its agent knew of the
    log is gone with the root, and the data may come back as they were before."""
    for row in archives.of_instance(tx, instance):
        close(tx, row, "The server of the instance was built anew.", gap=True)
