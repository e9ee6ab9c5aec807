# SPDX-License-Identifier: Apache-2.0
"""Whether an instance may be deleted.

Revision: 0012, after 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLE, COLUMN = "instances", "deletion_protection"


def upgrade() -> None:
    """A column more; what there is may be deleted, as before."""
    column = sa.Column(COLUMN, sa.Boolean(), nullable=False, server_default="0")
    op.add_column(TABLE, column)


def downgrade() -> None:
    """Nothing is protected any more."""
    with op.batch_alter_table(TABLE) as table:
        table.drop_column(COLUMN)
