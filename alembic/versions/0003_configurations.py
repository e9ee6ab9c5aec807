# SPDX-License-Identifier: Apache-2.0
"""Configuration groups, the rules of their values, and an instance's processors.

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ENGINE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Two tables more, and a column."""
    op.create_table(
        "configurations",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("project", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("version_id", sa.String(36), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("updated", sa.Double(), nullable=False),
        sa.Column("deleted_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_configurations"),
        **ENGINE,
    )
    op.create_index(
        "ix_configurations_project_deleted_id",
        "configurations",
        ["project", "deleted_at", "id"],
    )
    op.create_index("ix_configurations_version", "configurations", ["version_id"])
    op.create_table(
        "parameters",
        sa.Column("version_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("rule", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("version_id", "name", name="pk_parameters"),
        **ENGINE,
    )
    op.add_column("instances", sa.Column("vcpus", sa.Integer(), nullable=True))
    op.create_index("ix_instances_configuration", "instances", ["configuration_id"])


def downgrade() -> None:
    """The groups go with their tables."""
    op.drop_index("ix_instances_configuration", "instances")
    op.drop_column("instances", "vcpus")
    op.drop_table("parameters")
    op.drop_table("configurations")
