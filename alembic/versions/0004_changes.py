# SPDX-License-Identifier: Apache-2.0
"""What an instance is growing to, what a version may have, who asked for an operation.

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OFFERS = ("flavors", "volume_types")
PAGE = "ix_operations_project_created_id"


def upgrade() -> None:
    """Five columns more, and the index of a list."""
    for name in OFFERS:
        op.add_column("datastore_versions", sa.Column(name, sa.JSON(), nullable=True))
    for name in ("volume_target", "ram_target"):
        op.add_column("instances", sa.Column(name, sa.Integer(), nullable=True))
    op.add_column("operations", sa.Column("user", sa.String(255), nullable=True))
    op.create_index(PAGE, "operations", ["project", "created", "id"])


def downgrade() -> None:
    """A resize that is under way is not known any more."""
    for name in OFFERS:
        op.drop_column("datastore_versions", name)
    op.drop_index(PAGE, "operations")
    op.drop_column("operations", "user")
    for name in ("volume_target", "ram_target"):
        op.drop_column("instances", name)
