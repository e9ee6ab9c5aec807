# SPDX-License-Identifier: Apache-2.0
"""Certificates that users brought: when each ends, and what was told of that."""

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.tables.record import TABLE, Key, Moment, Record


class BroughtCertificate(Record):
    """One that was brought for an instance; neither it nor its key, which are the
    guest's to keep."""

    __tablename__ = "brought_certificates"
    __table_args__ = (
        # each round of housekeeping: those that serve and end soon
        sa.Index("ix_brought_certificates_in_force_ends", "in_force", "ends"),
        TABLE,
    )

    instance_id: orm.Mapped[Key]
    fingerprint: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)
    """SHA-256 of it, in hex: a serial is only one authority's."""
    ends: orm.Mapped[Moment]
    in_force: orm.Mapped[bool] = orm.mapped_column(default=False)
    """Whether the guest said last that it serves with this one."""
    told: orm.Mapped[int | None]
    """The days that were left when its owner was told last; 0: that it has ended."""
