# SPDX-License-Identifier: Apache-2.0
"""Record: what every table shares - names of constraints, charset, no lazy loading.

Moments are seconds since the epoch (UTC, double), by the *database's* clock: one type
that SQLite, MariaDB and PostgreSQL compare alike. ``api`` views format them.
"""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}

Id = typing.Annotated[str, orm.mapped_column(sa.String(36))]
Key = typing.Annotated[str, orm.mapped_column(sa.String(36), primary_key=True)]
Name = typing.Annotated[str, orm.mapped_column(sa.String(255))]
Word = typing.Annotated[str, orm.mapped_column(sa.String(32))]
Moment = typing.Annotated[float, orm.mapped_column(sa.Double())]
Document = typing.Annotated[dict[str, typing.Any], orm.mapped_column(sa.JSON())]
Text = typing.Annotated[str, orm.mapped_column(sa.Text())]


class Record(orm.DeclarativeBase):
    """The base of every table."""

    metadata = sa.MetaData(naming_convention=NAMES)
    __table_args__: typing.Any = TABLE
