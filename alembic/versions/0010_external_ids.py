# SPDX-License-Identifier: Apache-2.0
"""What the cloud has is found by the cloud's own ids: its notifications say no others.

Revision: 0010, after 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INDEX, TABLE = "ix_cloud_things_external_id", "cloud_things"


def upgrade() -> None:
    """An index more."""
    op.create_index(INDEX, TABLE, ["external_id"])


def downgrade() -> None:
    """Who asks by such an id reads them all."""
    op.drop_index(INDEX, TABLE)
