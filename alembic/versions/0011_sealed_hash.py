# SPDX-License-Identifier: Apache-2.0
"""What an Idempotency-Key was sent with, sealed: a hash of a body with a password in it
can be guessed at.

Revision: 0011, after 0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLE, COLUMN = "operations", "sealed_hash"


def upgrade() -> None:
    """A column more. The rows that there are keep the hash that they have."""
    kind = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
    op.add_column(TABLE, sa.Column(COLUMN, kind, nullable=True))


def downgrade() -> None:
    """Keys that were used meanwhile stand for no body: a repetition is refused."""
    with op.batch_alter_table(TABLE) as table:
        table.drop_column(COLUMN)
