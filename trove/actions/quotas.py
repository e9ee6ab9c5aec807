# SPDX-License-Identifier: Apache-2.0
"""Quotas: what a project may have, what it has, and an admin's word on the first."""

import typing

from sqlalchemy import orm

from trove.actions.services import Services
from trove.db.queries import quotas


def limits(services: Services, project: str) -> dict[str, int]:
    """The limit of every resource."""
    with services.database.reading() as tx:
        return quotas.limits(tx, project, dict(services.settings.quotas))


def usage(services: Services, project: str) -> list[dict[str, typing.Any]]:
    """Limit, use and reservation of every resource."""
    with services.database.reading() as tx:
        return list(quotas.rows(tx, project, dict(services.settings.quotas)))


def set_limits(
    services: Services, project: str, limits: dict[str, int]
) -> dict[str, int]:
    """Sets these and leaves the others."""

    def work(tx: orm.Session) -> None:
        quotas.set_limits(tx, project, limits)

    services.database.run(work)
    return limits
