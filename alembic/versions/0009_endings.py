# SPDX-License-Identifier: Apache-2.0
"""Certificates that users brought: when each ends, and what was told of that.

Revision: 0009, after 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLE = "brought_certificates"
ENGINE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """A table more. Of what was brought before it, nobody is told."""
    op.create_table(
        TABLE,
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("ends", sa.Double(), nullable=False),
        sa.Column("in_force", sa.Boolean(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("instance_id", "fingerprint", name=f"pk_{TABLE}"),
        **ENGINE,
    )
    op.create_index(f"ix_{TABLE}_in_force_ends", TABLE, ["in_force", "ends"])


def downgrade() -> None:
    """What was told is forgotten."""
    op.drop_table(TABLE)
