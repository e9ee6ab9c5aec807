# SPDX-License-Identifier: Apache-2.0
"""Backups, where they go, and which one an instance was made of.

Revision: 0013, after 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

OF = "restored_from"
TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """There are none yet."""
    op.create_table(
        "backups",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("project", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("parent_id", sa.String(36), nullable=True),
        sa.Column("version_id", sa.String(36), nullable=False),
        sa.Column("operation_id", sa.String(36), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("driver", sa.String(32), nullable=False),
        sa.Column("container", sa.String(255), nullable=False),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("stored", sa.BigInteger(), nullable=True),
        sa.Column("parts", sa.Integer(), nullable=True),
        sa.Column("ring", sa.String(64), nullable=True),
        sa.Column("key", sa.String(128), nullable=True),
        sa.Column("manifest", sa.String(64), nullable=True),
        sa.Column("about", sa.JSON(), nullable=True),
        sa.Column("ended", sa.Double(), nullable=True),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("updated", sa.Double(), nullable=False),
        sa.Column("deleted_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_backups"),
        **TABLE,
    )
    op.create_index(
        "ix_backups_project_deleted_id", "backups", ["project", "deleted_at", "id"]
    )
    op.create_index("ix_backups_instance_id", "backups", ["instance_id"])
    op.create_index("ix_backups_parent_id", "backups", ["parent_id"])
    op.create_index("ix_backups_operation_id", "backups", ["operation_id"])
    op.create_table(
        "backup_strategies",
        sa.Column("project", sa.String(255), nullable=False),
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("container", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("project", "instance_id", name="pk_backup_strategies"),
        **TABLE,
    )
    op.add_column("instances", sa.Column(OF, sa.String(36), nullable=True))
    op.create_index("ix_instances_restored_from", "instances", [OF])


def downgrade() -> None:
    """Where they are is known no more; what is in a store stays there."""
    op.drop_index("ix_instances_restored_from", "instances")
    with op.batch_alter_table("instances") as table:
        table.drop_column(OF)
    op.drop_table("backup_strategies")
    op.drop_table("backups")
