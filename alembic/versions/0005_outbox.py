# SPDX-License-Identifier: Apache-2.0
"""Who is about to tell of an event, and until when nobody else does.

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column more."""
    op.add_column("events", sa.Column("claimed", sa.Double(), nullable=True))


def downgrade() -> None:
    """What is about to be told may be told twice."""
    op.drop_column("events", "claimed")
