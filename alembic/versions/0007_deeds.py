# SPDX-License-Identifier: Apache-2.0
"""Changes that guests are asked for while a user waits, and Idempotency-Keys.

Revision: 0007, after 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0007"
down_revision = "0006"
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
        "deeds",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(48), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("doubtful", sa.Boolean(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deeds"),
        **ENGINE,
    )
    op.create_index("ix_deeds_state_at", "deeds", ["state", "at"])
    op.create_table(
        "client_tokens",
        sa.Column("project", sa.String(255), nullable=False),
        sa.Column("client_token", sa.String(255), nullable=False),
        sa.Column("body_hash", SEALED, nullable=False),
        sa.Column("answers", SEALED, nullable=False),
        sa.Column("over", sa.Boolean(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("project", "client_token", name="pk_client_tokens"),
        **ENGINE,
    )
    op.create_index("ix_client_tokens_created", "client_tokens", ["created"])


def downgrade() -> None:
    """Keys are forgotten, and what was asked of guests and had no end yet."""
    op.drop_table("client_tokens")
    op.drop_table("deeds")
