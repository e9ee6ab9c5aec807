# SPDX-License-Identifier: Apache-2.0
"""Quotas: what a project may have, and what it has (kept exact, INV-5)."""

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.tables.record import Record


class Quota(Record):
    """A limit other than the default. -1 is unlimited."""

    __tablename__ = "quotas"

    project: orm.Mapped[str] = orm.mapped_column(sa.String(255), primary_key=True)
    resource: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)
    limit: orm.Mapped[int] = orm.mapped_column("hard_limit")


class Usage(Record):
    """``used`` by things that are, ``reserved`` by operations under way."""

    __tablename__ = "quota_usages"

    project: orm.Mapped[str] = orm.mapped_column(sa.String(255), primary_key=True)
    resource: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)
    used: orm.Mapped[int] = orm.mapped_column(default=0)
    reserved: orm.Mapped[int] = orm.mapped_column(default=0)
