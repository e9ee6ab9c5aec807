# SPDX-License-Identifier: Apache-2.0
"""${message}.

Revision: ${up_revision}, after ${down_revision | comma,n}
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Additive: the release before this one must run on it."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """The way back, with rows in the tables."""
    ${downgrades if downgrades else "pass"}
