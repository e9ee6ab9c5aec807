# SPDX-License-Identifier: Apache-2.0
"""The processes of the control plane, as they last reported."""

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.tables.record import Moment, Record, Word


class ServiceProcess(Record):
    """One process: ``id`` is ``<kind>@<host>:<pid>``."""

    __tablename__ = "service_processes"

    id: orm.Mapped[str] = orm.mapped_column(sa.String(128), primary_key=True)
    kind: orm.Mapped[Word]
    host: orm.Mapped[str] = orm.mapped_column(sa.String(255))
    started: orm.Mapped[Moment]
    seen: orm.Mapped[Moment]
