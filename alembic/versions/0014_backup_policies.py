# SPDX-License-Identifier: Apache-2.0
"""When backups of an instance are made, and which backups were made so.

Revision: 0014, after 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

MADE_SO = "scheduled"
POLICIES = "backup_policies"
TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """None has a policy yet, and of the backups there are users made each."""
    op.create_table(
        POLICIES,
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("project", sa.String(255), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("minute", sa.Integer(), nullable=False),
        sa.Column("full_every", sa.Integer(), nullable=False),
        sa.Column("increment_every", sa.Integer(), nullable=True),
        sa.Column("keep_days", sa.Integer(), nullable=False),
        sa.Column("next_due", sa.Double(), nullable=False),
        sa.Column("backup_id", sa.String(36), nullable=True),
        sa.Column("last_run", sa.Double(), nullable=True),
        sa.Column("last_fault", sa.Text(), nullable=True),
        sa.Column("faults", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("updated", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("instance_id", name="pk_backup_policies"),
        **TABLE,
    )
    op.create_index("ix_backup_policies_next_due", POLICIES, ["enabled", "next_due"])
    op.create_index("ix_backup_policies_backup_id", POLICIES, ["backup_id"])
    column = sa.Column(MADE_SO, sa.Boolean(), nullable=False, server_default="0")
    op.add_column("backups", column)


def downgrade() -> None:
    """Nothing is made or taken away by itself any more."""
    with op.batch_alter_table("backups") as table:
        table.drop_column(MADE_SO)
    op.drop_table(POLICIES)
