# SPDX-License-Identifier: Apache-2.0
"""The port of a user's whose address an instance has: one instance's at a time.

Revision: 0008, after 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

UNIQUE = "uq_instances_port"


def upgrade() -> None:
    """A column more, and the index that keeps two instances off one port."""
    op.add_column("instances", sa.Column("port_id", sa.String(64), nullable=True))
    op.create_index(UNIQUE, "instances", ["port_id"], unique=True)


def downgrade() -> None:
    """Which port an instance's address is of is in its ``nic`` still."""
    op.drop_index(UNIQUE, "instances")
    op.drop_column("instances", "port_id")
