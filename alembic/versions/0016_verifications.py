# SPDX-License-Identifier: Apache-2.0
"""Which backups were restored to see that they can be, and what was seen.

Revision: 0016, after 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BACKUPS, POLICIES = "backups", "backup_policies"
INDEX = "ix_backups_verification"


def _of_a_backup() -> list[sa.Column]:
    return [
        sa.Column("verification", sa.String(32), nullable=True),
        sa.Column("verify_asked", sa.Double(), nullable=True),
        sa.Column("verified_at", sa.Double(), nullable=True),
        sa.Column("restore_seconds", sa.Double(), nullable=True),
        sa.Column("verify_fault", sa.Text(), nullable=True),
        sa.Column("unsound", sa.Boolean(), nullable=False, server_default="0"),
    ]


def _of_a_policy() -> list[sa.Column]:
    return [
        sa.Column("verify", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("verified_last", sa.Double(), nullable=True),
    ]


def upgrade() -> None:
    """None was, and no policy asks for it."""
    for column in _of_a_backup():
        op.add_column(BACKUPS, column)
    for column in _of_a_policy():
        op.add_column(POLICIES, column)
    op.create_index(INDEX, BACKUPS, ["verification", "verify_asked"])


def downgrade() -> None:
    """Nobody knows any more."""
    op.drop_index(INDEX, BACKUPS)
    for name, columns in ((POLICIES, _of_a_policy()), (BACKUPS, _of_a_backup())):
        with op.batch_alter_table(name) as table:
            for column in columns:
                table.drop_column(column.name)
