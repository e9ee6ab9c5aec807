# SPDX-License-Identifier: Apache-2.0
"""Archives of transaction logs; where in the log a replay after a backup begins.

Revision: 0018, after 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

ARCHIVES, SEGMENTS = "archives", "archive_segments"
BACKUPS, POLICIES = "backups", "backup_policies"
TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """No log is brought yet: who had a policy says that his is, and a new instance's
    is unless its user says otherwise."""
    _archives()
    op.create_table(
        SEGMENTS,
        sa.Column("archive_id", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("archive_id", "number", name="pk_archive_segments"),
        **TABLE,
    )
    op.add_column(BACKUPS, sa.Column("place", sa.BigInteger(), nullable=True))
    op.add_column(BACKUPS, sa.Column("moment", sa.Double(), nullable=True))
    wanted = sa.Column(
        "point_in_time", sa.Boolean(), nullable=False, server_default="0"
    )
    op.add_column(POLICIES, wanted)


def _archives() -> None:
    op.create_table(
        ARCHIVES,
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("project", sa.String(255), nullable=False),
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("open_of", sa.String(36), nullable=True),
        sa.Column("version_id", sa.String(36), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("driver", sa.String(32), nullable=False),
        sa.Column("container", sa.String(255), nullable=False),
        sa.Column("ring", sa.String(64), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("segments", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("part", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("first", sa.BigInteger(), nullable=True),
        sa.Column("last", sa.BigInteger(), nullable=True),
        sa.Column("began", sa.Double(), nullable=True),
        sa.Column("latest", sa.Double(), nullable=True),
        sa.Column("stored", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("report", sa.JSON(), nullable=True),
        sa.Column("reported_at", sa.Double(), nullable=True),
        sa.Column("missed_at", sa.Double(), nullable=True),
        sa.Column("ordered_at", sa.Double(), nullable=True),
        sa.Column("granted", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("granted_until", sa.Double(), nullable=True),
        sa.Column("due", sa.Double(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("gap", sa.Boolean(), nullable=False, server_default="0"),
        sa.Column("again", sa.Double(), nullable=True),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("updated", sa.Double(), nullable=False),
        sa.Column("closed_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_archives"),
        **TABLE,
    )
    op.create_index("uq_archives_open_of", ARCHIVES, ["open_of"], unique=True)
    op.create_index("ix_archives_instance_id", ARCHIVES, ["instance_id"])
    op.create_index("ix_archives_due", ARCHIVES, ["due"])


def downgrade() -> None:
    """What was brought is nobody's any more; what is a backup, is one."""
    with op.batch_alter_table(POLICIES) as table:
        table.drop_column("point_in_time")
    with op.batch_alter_table(BACKUPS) as table:
        table.drop_column("moment")
        table.drop_column("place")
    op.drop_table(SEGMENTS)
    op.drop_table(ARCHIVES)
