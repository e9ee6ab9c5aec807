# SPDX-License-Identifier: Apache-2.0
"""Which keys of a key manager are those of projects' backups.

Revision: 0017, after 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

KEYS = "backup_keys"
TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """No project has one yet: what there is was wrapped by the keyring."""
    op.create_table(
        KEYS,
        sa.Column("project", sa.String(255), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("project", "number", name="pk_backup_keys"),
        **TABLE,
    )


def downgrade() -> None:
    """What they wrapped names them itself, and is found by its name there."""
    op.drop_table(KEYS)
