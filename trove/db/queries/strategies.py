# SPDX-License-Identifier: Apache-2.0
"""Where backups go: by the word of a project, or for one instance of it."""

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import dialects
from trove.db.tables import BackupStrategy

EVERY = ""
"""The instance of the one for all that have none of their own."""


def container(tx: orm.Session, project: str, instance: str) -> str | None:
    """Where those of an instance go, if anybody said it: its own comes first."""
    found = _of(project).where(BackupStrategy.instance_id.in_([instance, EVERY]))
    return tx.scalars(
        found.order_by(BackupStrategy.instance_id.desc())
        .limit(1)
        .with_only_columns(BackupStrategy.container)
    ).one_or_none()


def page(
    tx: orm.Session, project: str, instance: str | None = None
) -> list[BackupStrategy]:
    """The project's first."""
    statement = _of(project).order_by(BackupStrategy.instance_id)
    if instance is not None:
        statement = statement.where(BackupStrategy.instance_id == instance)
    return list(tx.scalars(statement))


def put(tx: orm.Session, project: str, instance: str, container: str) -> None:
    """Made, or another one from now on."""
    key = {"project": project, "instance_id": instance}
    dialects.insert_missing(tx, BackupStrategy, container=container, **key)
    tx.execute(
        sa.update(BackupStrategy)
        .where(*_is(project, instance))
        .values(container=container)
        .execution_options(synchronize_session=False)
    )


def forget(tx: orm.Session, project: str, instance: str) -> None:
    """It is no more, if there was one."""
    tx.execute(
        sa.delete(BackupStrategy)
        .where(*_is(project, instance))
        .execution_options(synchronize_session=False)
    )


def _of(project: str) -> sa.Select[BackupStrategy]:
    return sa.select(BackupStrategy).where(BackupStrategy.project == project)


def _is(project: str, instance: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        BackupStrategy.project == project,
        BackupStrategy.instance_id == instance,
    )
