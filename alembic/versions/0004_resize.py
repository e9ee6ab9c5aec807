# SPDX-License-Identifier: Apache-2.0
"""The size that an instance's volume is growing to.

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column more."""
    op.add_column("instances", sa.Column("volume_target", sa.Integer(), nullable=True))


def downgrade() -> None:
    """A resize that is under way is not known any more."""
    op.drop_column("instances", "volume_target")
