# SPDX-License-Identifier: Apache-2.0
"""Things in the cloud, by what the cloud calls them."""

import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db.tables import CloudThing


def owners(tx: orm.Session, external: typing.Collection[str]) -> list[str]:
    """Whose the things of ours are among these ids; sorted, each once."""
    found = sa.select(CloudThing.owner).where(CloudThing.external_id.in_(external))
    return sorted(tx.scalars(found.distinct()))
