# SPDX-License-Identifier: Apache-2.0
"""Configuration groups: load, list, count; the rules of a version's parameters.

Whoever acts for a user passes ``project``: another project's group is not found.
"""

import dataclasses
import typing
import uuid

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.db.session import AmongLiving, now
from trove.db.tables import (
    Configuration,
    Datastore,
    DatastoreVersion,
    Instance,
    Parameter,
)

Settings = dict[str, typing.Any]
Rule = dict[str, typing.Any]
LOADED = "loaded"
"""In a rule's row: the rule as its engine's file had it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """A group with what is shown of its datastore; ``instances`` have it."""

    row: Configuration
    datastore: str | None
    version: str | None
    number: str | None
    instances: int = 0


def page(
    tx: orm.Session, project: str, limit: int, marker: str | None = None
) -> list[Group]:
    """Up to ``limit`` groups after ``marker`` (an id), by id."""
    wanted = sa.select(Configuration.id).where(*_of(project))
    if marker is not None:
        wanted = wanted.where(Configuration.id > marker)
    living = AmongLiving(Configuration.deleted_at, Configuration.id)
    cut = wanted.order_by(living).limit(limit).subquery("page")
    shown = _shown().join(cut, cut.c.id == Configuration.id).order_by(Configuration.id)
    return [Group(*row) for row in tx.execute(shown)]


def seen(tx: orm.Session, id: str, project: str | None) -> Group:
    """One, with the number of instances; raises ``ConfigurationNotFound``."""
    found = tx.execute(_shown().where(Configuration.id == id, *_of(project))).first()
    if found is None:
        raise errors.ConfigurationNotFound(id=id)
    count = sa.select(sa.func.count()).where(*_having(id))
    return Group(*found, instances=tx.scalar(count) or 0)


def hold(
    tx: orm.Session, id: str, project: str | None, *, change: bool = False
) -> Configuration:
    """One that stays as it is until the transaction ends; to ``change`` it, alone.

    Who attaches it and who changes or deletes it come one after the other.
    """
    wanted = sa.select(Configuration).where(Configuration.id == id, *_of(project))
    row = tx.scalar(wanted.with_for_update(read=not change))
    if row is None:
        raise errors.ConfigurationNotFound(id=id)
    return row


def settings(tx: orm.Session, id: str | None) -> Settings:
    """A group's values, also of one that is deleted; none of no group."""
    row = tx.get(Configuration, id) if id is not None else None
    return dict(row.settings) if row is not None else {}


def create(tx: orm.Session, project: str, **columns: typing.Any) -> Configuration:
    """A new one."""
    moment = now(tx)
    row = Configuration(
        id=str(uuid.uuid4()),
        project=project,
        created=moment,
        updated=moment,
        **columns,
    )
    tx.add(row)
    tx.flush()
    return row


def instances(
    tx: orm.Session, id: str, limit: int | None = None, marker: str | None = None
) -> list[Instance]:
    """The instances that have it, by id."""
    wanted = sa.select(Instance).where(*_having(id)).order_by(Instance.id)
    if marker is not None:
        wanted = wanted.where(Instance.id > marker)
    return list(tx.scalars(wanted.limit(limit)))


# -- the rules of parameters


def rules(tx: orm.Session, version_id: str) -> dict[str, Rule]:
    """By name, in the order of names."""
    return {
        name: {key: rule[key] for key in rule if key != LOADED}
        for name, rule in _rows(tx, version_id)
        if "type" in rule
    }


def loaded(tx: orm.Session, version_id: str) -> dict[str, Rule]:
    """What was loaded, by name, whatever became of it; empty: nothing was."""
    return {
        name: rule[LOADED] for name, rule in _rows(tx, version_id) if LOADED in rule
    }


def _rows(tx: orm.Session, version_id: str) -> typing.Iterator[tuple[str, Rule]]:
    found = tx.execute(
        sa.select(Parameter.name, Parameter.rule)
        .where(Parameter.version_id == version_id)
        .order_by(Parameter.name)
    )
    yield from ((name, rule) for name, rule in found)


def load_rules(
    tx: orm.Session,
    version_id: str,
    rules: typing.Mapping[str, Rule],
    *,
    loaded: bool = False,
) -> None:
    """These, and no others. ``loaded``: they are kept beside what becomes of them."""
    tx.execute(sa.delete(Parameter).where(Parameter.version_id == version_id))
    tx.add_all(
        Parameter(
            version_id=version_id,
            name=name,
            rule={**rule, LOADED: dict(rule)} if loaded else dict(rule),
        )
        for name, rule in rules.items()
    )
    tx.flush()


def put_rule(tx: orm.Session, version_id: str, name: str, rule: Rule) -> None:
    """This is the rule of it now; what was loaded stays beside."""
    row = tx.get(Parameter, (version_id, name))
    if row is None:
        tx.add(Parameter(version_id=version_id, name=name, rule=rule))
    else:
        kept = {LOADED: row.rule[LOADED]} if LOADED in row.rule else {}
        row.rule = {**rule, **kept}


def take_out(tx: orm.Session, version_id: str, name: str) -> None:
    """It has no rule; what was loaded stays, so that it can have one again."""
    row = parameter(tx, version_id, name)
    if LOADED in row.rule:
        row.rule = {LOADED: row.rule[LOADED]}
    else:
        tx.delete(row)


def parameter(tx: orm.Session, version_id: str, name: str) -> Parameter:
    """One that has a rule; raises ``ParameterNotFound``."""
    row = tx.get(Parameter, (version_id, name))
    if row is None or "type" not in row.rule:
        raise errors.ParameterNotFound(name=name)
    return row


def _of(project: str | None) -> list[sa.ColumnElement[bool]]:
    wanted: list[sa.ColumnElement[bool]] = [Configuration.deleted_at.is_(None)]
    if project is not None:
        wanted.append(Configuration.project == project)
    return wanted


def _having(id: str) -> list[sa.ColumnElement[bool]]:
    return [Instance.configuration_id == id, Instance.deleted_at.is_(None)]


def _shown() -> sa.Select[Configuration, str, str, str]:
    return (
        sa.select(
            Configuration,
            Datastore.name,
            DatastoreVersion.name,
            DatastoreVersion.number,
        )
        .outerjoin(DatastoreVersion, DatastoreVersion.id == Configuration.version_id)
        .outerjoin(Datastore, Datastore.id == DatastoreVersion.datastore_id)
    )
