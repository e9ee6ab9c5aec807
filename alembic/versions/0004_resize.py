# SPDX-License-Identifier: Apache-2.0
"""The sizes that an instance's volume and memory are growing to.

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two columns more."""
    for name in ("volume_target", "ram_target"):
        op.add_column("instances", sa.Column(name, sa.Integer(), nullable=True))


def downgrade() -> None:
    """A resize that is under way is not known any more."""
    for name in ("volume_target", "ram_target"):
        op.drop_column("instances", name)
