# SPDX-License-Identifier: Apache-2.0
"""The recycle bin: deleted instances whose volume is kept.

Revision: 0015, after 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

BIN = "recycled_instances"
TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """It is empty: what was deleted before is gone."""
    op.create_table(
        BIN,
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("project", sa.String(255), nullable=False),
        sa.Column("modules", sa.JSON(), nullable=False),
        sa.Column("reclaim_at", sa.Double(), nullable=False),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("fault_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("instance_id", name="pk_recycled_instances"),
        **TABLE,
    )
    op.create_index("ix_recycled_instances_project", BIN, ["project", "instance_id"])
    op.create_index("ix_recycled_instances_reclaim_at", BIN, ["reclaim_at"])


def downgrade() -> None:
    """What is in it cannot be had back; its volumes stay in the cloud, marked."""
    op.drop_table(BIN)
