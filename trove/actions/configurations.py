# SPDX-License-Identifier: Apache-2.0
"""Configuration groups: kept by a project, and had by its instances (contract, 10).

What is changed here is in force, or waits for a restart and says so, when the caller
hears of it: each instance has an operation of its own, and the caller waits for it.
"""

import re
import typing

from sqlalchemy import orm

from trove import errors
from trove.actions import begin, instances
from trove.actions.services import Services
from trove.context import Context
from trove.datastores import values
from trove.db.queries import configurations, datastores
from trove.db.queries import instances as rows
from trove.db.queries.configurations import Group, Settings
from trove.db.session import now
from trove.db.tables import Instance
from trove.model import operations
from trove.model.states import Task

SECRET = re.compile("password|passwd|secret", re.IGNORECASE)


# -- looking ------------------------------------------------------------------------


def page(
    services: Services, owner: str, limit: int, marker: str | None
) -> tuple[list[Group], str | None]:
    """A page in the order of ids, shown newest first; and the next one's marker."""
    with services.database.reading() as tx:
        found = configurations.page(tx, owner, limit + 1, marker)
    following = found[limit - 1].row.id if len(found) > limit else None
    newest = sorted(found[:limit], key=lambda seen: (-seen.row.created, seen.row.id))
    return newest, following


def show(services: Services, id: str, project: str | None) -> Group:
    """One, with how many instances have it."""
    with services.database.reading() as tx:
        return configurations.seen(tx, id, project)


def having(
    services: Services, id: str, project: str | None, limit: int, marker: str | None
) -> tuple[list[Instance], str | None]:
    """A page of the instances that have it; and the next one's marker."""
    with services.database.reading() as tx:
        configurations.seen(tx, id, project)
        found = configurations.instances(tx, id, limit + 1, marker)
    following = found[limit - 1].id if len(found) > limit else None
    return found[:limit], following


# -- keeping ------------------------------------------------------------------------


def create(
    services: Services,
    owner: str,
    name: str,
    description: str | None,
    settings: Settings,
    datastore: typing.Mapping[str, str | None],
) -> Group:
    """A new group of the datastore version that is named, or of the default one."""

    def work(tx: orm.Session) -> str:
        _, version = datastores.resolve(
            tx,
            datastore.get("type"),
            datastore.get("version"),
            datastore.get("version_number"),
            default=services.settings.default_datastore,
        )
        datastores.hold(tx, version.id)
        return configurations.create(
            tx,
            owner,
            name=name,
            description=description,
            version_id=version.id,
            settings=_checked(tx, version.id, settings),
        ).id

    return show(services, services.database.run(work), owner)


def change(
    services: Services,
    context: Context,
    id: str,
    project: str | None,
    settings: Settings | None = None,
    *,
    whole: bool,
    **columns: typing.Any,
) -> None:
    """Sets the values (``whole``: these and no others), name and description.

    Every instance that has the group is told before the caller hears of it; is one of
    them busy, nothing is changed. What one does not take is told, and is still the
    group's.
    """

    def work(tx: orm.Session) -> list[str]:
        row = configurations.hold(tx, id, project, change=True)
        for column, value in columns.items():
            setattr(row, column, value)
        row.updated = now(tx)
        if settings is None:
            return []
        checked = _checked(tx, row.version_id, settings)
        wanted = checked if whole else {**row.settings, **checked}
        if wanted == row.settings:
            return []
        row.settings = wanted
        tx.flush()
        told = configurations.instances(tx, id)
        return [
            _tell(tx, context, each, each.configuration_id)
            for each in told
            if each.task != Task.FAILED
        ]

    told = services.database.run(work)
    try:
        _wait(services, told)
    except errors.ValueRefused as refused:
        raise errors.ValueRefused(
            why=f"The group is changed, and an instance did not take it: {refused}"
        ) from None


def delete(services: Services, id: str, project: str | None) -> None:
    """One that no instance has."""

    def work(tx: orm.Session) -> None:
        row = configurations.hold(tx, id, project, change=True)
        if configurations.instances(tx, id, 1):
            raise errors.Invalid(
                f"Configuration group {id} is attached to an instance; detach it first."
            )
        row.deleted_at = now(tx)

    services.database.run(work)


# -- having -------------------------------------------------------------------------


def attach(
    services: Services,
    context: Context,
    id: str,
    project: str | None,
    configuration: str | None,
) -> None:
    """The instance has this group, or none; what it had already is no change."""

    def work(tx: orm.Session) -> list[str]:
        seen = rows.seen(tx, id, project)
        row = seen.instance
        if configuration is not None:
            instances.check_group(tx, configuration, row.project, row.version_id)
        if row.configuration_id == configuration:
            return []
        before = row.configuration_id
        if before is not None and configuration is not None:
            raise errors.Invalid(
                f"Instance {id} has configuration group {before}; detach it first."
            )
        instances.refuse_unable(services, seen)
        rows.changes(tx, id, configuration_id=configuration)
        return [_tell(tx, context, row, before)]

    _wait(services, services.database.run(work))


def _tell(tx: orm.Session, context: Context, row: Instance, before: str | None) -> str:
    rows.move(tx, row.id, Task.UPDATING)
    input = operations.ConfigureInstance(before).to_dict()
    kind = operations.CONFIGURE
    return begin.open(tx, context, kind, row.project, row.id, input)


def _wait(services: Services, told: list[str]) -> None:
    """Raises ``errors.ValueRefused`` with the first that failed."""
    fault = begin.waited(services, told)
    if fault is not None:
        raise errors.ValueRefused(why=fault)


# -- the rules ----------------------------------------------------------------------


def _checked(tx: orm.Session, version_id: str, settings: Settings) -> Settings:
    """The values by their parameters' own names; ``errors.ValueRefused``."""
    rules = configurations.rules(tx, version_id)
    if not rules:
        datastore, version = datastores.version_by_id(tx, version_id, inactive=True)
        raise errors.ValueRefused(
            why="Configuration groups are not supported for this datastore: "
            f"{datastore.name} {version.name}"
        )
    try:
        return values.check(rules, settings)
    except errors.Invalid as refused:
        raise errors.ValueRefused(why=refused.facts.get("why")) from None


def hidden(settings: Settings) -> Settings:
    """As it is shown: what may be a secret by its name is not."""
    return {
        name: "***" if SECRET.search(name) else value
        for name, value in settings.items()
    }
