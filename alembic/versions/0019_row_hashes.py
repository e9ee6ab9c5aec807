# SPDX-License-Identifier: Apache-2.0
"""Whether rows are hashed when a policy has a backup made.

Revision: 0019, after 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

POLICIES, NAME = "backup_policies", "verify_rows"


def upgrade() -> None:
    """No policy asks for it."""
    column = sa.Column(NAME, sa.Boolean(), nullable=False, server_default="0")
    op.add_column(POLICIES, column)


def downgrade() -> None:
    """None can ask for it any more."""
    with op.batch_alter_table(POLICIES) as table:
        table.drop_column(NAME)
