# SPDX-License-Identifier: Apache-2.0
"""Quotas: reserve, settle, release and give back, each an UPDATE that decides itself.

Nothing is read first and written later, so two requests at once can never both get the
last place (INV-5, S25). Resources are taken in one order, so they cannot deadlock.
"""

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.db import dialects
from trove.db.tables import Quota, Usage
from trove.model.quotas import RESOURCES, UNLIMITED

Cost = dict[str, int]


def reserve(
    tx: orm.Session, project: str, cost: Cost, defaults: dict[str, int]
) -> None:
    """Reserves all of ``cost``; raises ``QuotaExceeded`` that names what is short.

    ``defaults`` holds where no limit is set for the project; a resource in neither is
    unlimited. The caller's transaction must end with the exception.
    """
    short = [
        resource
        for resource, amount in _in_order(cost)
        if not _reserve(tx, project, resource, amount, defaults)
    ]
    if short:
        raise errors.QuotaExceeded(resources=short)


def settle(tx: orm.Session, project: str, cost: Cost) -> None:
    """What was reserved is now used."""
    for resource, amount in _in_order(cost):
        _move(tx, project, resource, reserved=-amount, used=amount)


def release(tx: orm.Session, project: str, cost: Cost) -> None:
    """What was reserved will not be used after all."""
    for resource, amount in _in_order(cost):
        _move(tx, project, resource, reserved=-amount)


def give_back(tx: orm.Session, project: str, cost: Cost) -> None:
    """What was used is gone."""
    for resource, amount in _in_order(cost):
        _move(tx, project, resource, used=-amount)


def limits(tx: orm.Session, project: str, defaults: dict[str, int]) -> dict[str, int]:
    """The limit of every resource for this project; -1 is unlimited."""
    own = {
        row.resource: row.limit
        for row in tx.scalars(sa.select(Quota).where(Quota.project == project))
    }
    return {
        resource: own.get(resource, defaults.get(resource, UNLIMITED))
        for resource in RESOURCES
    }


def rows(
    tx: orm.Session, project: str, defaults: dict[str, int]
) -> list[dict[str, str | int]]:
    """Limit and usage of every resource, as the API shows them."""
    usage = {
        row.resource: row
        for row in tx.scalars(sa.select(Usage).where(Usage.project == project))
    }
    return [
        {
            "resource": resource,
            "in_use": usage[resource].used if resource in usage else 0,
            "reserved": usage[resource].reserved if resource in usage else 0,
            "limit": limit,
        }
        for resource, limit in limits(tx, project, defaults).items()
    ]


def set_limits(tx: orm.Session, project: str, limits: dict[str, int]) -> None:
    """Sets limits for a project; -1 is unlimited.

    A limit below what is used is allowed: it only refuses more.
    """
    for resource in limits:
        if resource not in RESOURCES:
            raise errors.QuotaResourceUnknown(resource=resource)
    for resource, limit in sorted(limits.items()):
        if limit < UNLIMITED:
            raise errors.Invalid(why=f"the limit of {resource} must be -1 or more.")
        dialects.insert_missing(
            tx, Quota, project=project, resource=resource, limit=limit
        )
        tx.execute(
            sa.update(Quota)
            .where(Quota.project == project, Quota.resource == resource)
            .values(limit=limit)
            .execution_options(synchronize_session=False)
        )


def _in_order(cost: Cost) -> list[tuple[str, int]]:
    unknown = sorted(set(cost) - set(RESOURCES))
    if unknown:
        raise errors.QuotaResourceUnknown(resource=unknown[0])
    return sorted((resource, amount) for resource, amount in cost.items() if amount)


def _reserve(
    tx: orm.Session, project: str, resource: str, amount: int, defaults: dict[str, int]
) -> bool:
    default = defaults.get(resource, UNLIMITED)
    own = (
        sa.select(Quota.limit)
        .where(Quota.project == project, Quota.resource == resource)
        .scalar_subquery()
    )
    limit = sa.func.coalesce(own, default)
    room = sa.or_(limit < 0, Usage.used + Usage.reserved + amount <= limit)
    statement = (
        sa.update(Usage)
        .where(Usage.project == project, Usage.resource == resource)
        .values(reserved=Usage.reserved + amount)
        .execution_options(synchronize_session=False)
    )
    if dialects.matched(tx.execute(statement.where(room))):
        return True
    # a project's first request finds no row to update
    dialects.insert_missing(
        tx, Usage, project=project, resource=resource, used=0, reserved=0
    )
    return bool(dialects.matched(tx.execute(statement.where(room))))


def _move(
    tx: orm.Session, project: str, resource: str, *, reserved: int = 0, used: int = 0
) -> None:
    moved = tx.execute(
        sa.update(Usage)
        .where(
            Usage.project == project,
            Usage.resource == resource,
            Usage.reserved + reserved >= 0,
            Usage.used + used >= 0,
        )
        .values(reserved=Usage.reserved + reserved, used=Usage.used + used)
        .execution_options(synchronize_session=False)
    )
    if not dialects.matched(moved):
        # never go on with a wrong count: it would be wrong for ever
        raise errors.Internal(
            why=f"{project} has no {abs(reserved or used)} {resource} to give back."
        )
