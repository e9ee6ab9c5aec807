# SPDX-License-Identifier: Apache-2.0
"""Strategies: where the backups of a project, or of one of its instances, go.

A container is a name that is shown and kept with a backup; contract, 9.6.
"""

import re

from sqlalchemy import orm

from trove import errors
from trove.actions.services import Services
from trove.db.queries import instances, strategies
from trove.db.tables import BackupStrategy

NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
"""Of a container: nothing that a shell, a path or a URL takes for something else."""


def page(
    services: Services, project: str, instance: str | None = None
) -> list[BackupStrategy]:
    """A project's, and then those of its instances; ``instance``: that one's alone."""
    with services.database.reading() as tx:
        return strategies.page(tx, project, instance)


def put(
    services: Services,
    owner: str,
    project: str | None,
    container: str,
    instance: str | None = None,
) -> BackupStrategy:
    """The project's one, or that of an instance, is this from now on."""
    check_container(container)

    def work(tx: orm.Session) -> list[str]:
        whose, which = owner, strategies.EVERY
        if instance:
            row = instances.load(tx, instance, project)
            whose, which = row.project, row.id
        strategies.put(tx, whose, which, container)
        return [whose, which]

    whose, which = services.database.run(work)
    return BackupStrategy(project=whose, instance_id=which, container=container)


def forget(services: Services, project: str, instance: str | None = None) -> None:
    """Whether there was one or not."""

    def work(tx: orm.Session) -> None:
        strategies.forget(tx, project, instance or strategies.EVERY)

    services.database.run(work)


def check_container(name: str) -> None:
    """Raises ``errors.Invalid``."""
    if not NAME.fullmatch(name):
        raise errors.Invalid(
            "A container's name has 1 to 200 letters, digits, dots, dashes and "
            "underscores, and does not begin with a dot."
        )
