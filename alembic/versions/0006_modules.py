# SPDX-License-Identifier: Apache-2.0
"""Modules, and which instance has which.

Revision: 0006, after 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ENGINE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
SEALED = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    """Two tables more."""
    op.create_table(
        "modules",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("project", sa.String(255), nullable=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("type", sa.String(255), nullable=False),
        sa.Column("contents", SEALED, nullable=True),
        sa.Column("md5", sa.String(32), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("datastore_id", sa.String(36), nullable=True),
        sa.Column("version_id", sa.String(36), nullable=True),
        sa.Column("auto_apply", sa.Boolean(), nullable=False),
        sa.Column("visible", sa.Boolean(), nullable=False),
        sa.Column("live_update", sa.Boolean(), nullable=False),
        sa.Column("priority_apply", sa.Boolean(), nullable=False),
        sa.Column("apply_order", sa.Integer(), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("identity", sa.String(64), nullable=True),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("updated", sa.Double(), nullable=False),
        sa.Column("deleted_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_modules"),
        sa.UniqueConstraint("identity", name="uq_modules_identity"),
        **ENGINE,
    )
    op.create_index(
        "ix_modules_project_deleted_id", "modules", ["project", "deleted_at", "id"]
    )
    op.create_table(
        "instance_modules",
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("module_id", sa.String(36), nullable=False),
        sa.Column("md5", sa.String(32), nullable=True),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("reapply", sa.String(36), nullable=True),
        sa.Column("updated", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("instance_id", "module_id", name="pk_instance_modules"),
        **ENGINE,
    )
    op.create_index(
        "ix_instance_modules_module", "instance_modules", ["module_id", "instance_id"]
    )
    op.create_index("ix_instance_modules_reapply", "instance_modules", ["reapply"])


def downgrade() -> None:
    """The modules go; what they did in the guests stays."""
    op.drop_table("instance_modules")
    op.drop_table("modules")
