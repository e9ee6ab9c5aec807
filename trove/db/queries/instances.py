# SPDX-License-Identifier: Apache-2.0
"""Instances: load, list with all that a view needs, move, change.

A list costs one statement for the page and one for what an instance may have several
of (replicas, moments that can be restored), however long it is.
Whoever acts for a user passes ``project``: another project's instance is not found.
"""

import dataclasses
import functools
import itertools
import typing

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.db import dialects
from trove.db.queries import archives
from trove.db.session import AmongLiving, epoch_now
from trove.db.tables import (
    Configuration,
    Datastore,
    DatastoreVersion,
    GuestReport,
    Instance,
    Operation,
)
from trove.model import operations, states
from trove.model.archives import Span

Ids = sa.Select[str]
Column = orm.InstrumentedAttribute[typing.Any]
Rows = sa.Select[*tuple[typing.Any, ...]]
Source = orm.aliased(Instance, name="sources")


class Version(typing.NamedTuple):
    """What is shown of a datastore's version."""

    name: str
    number: str
    manager: str


class Report(typing.NamedTuple):
    """What is shown of a guest's last report; the disk's are bytes."""

    service: str
    received_at: float
    disk_used: int | None
    disk_total: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """An instance with all that its views and its status are made of.

    ``datastore`` is a name; ``age`` is the seconds since the last report, by the
    database's clock; ``live`` is the kind of the operation that holds the instance and
    ``live_state`` its state; ``source`` and ``replicas`` are ids of instances that are
    not deleted.
    """

    instance: Instance
    version: Version | None
    datastore: str | None
    report: Report | None
    age: float | None
    live: str | None
    live_state: str | None
    source: str | None
    configuration: str | None
    """The name of its configuration group."""
    replicas: tuple[str, ...]
    restorable: tuple[Span, ...]
    """The moments to which it can be restored, the oldest first."""


def load(tx: orm.Session, id: str, project: str | None = None) -> Instance:
    """An instance that is not deleted; raises ``InstanceNotFound``."""
    wanted = _of(project, deleted=False)
    row = tx.scalar(sa.select(Instance).where(Instance.id == id, *wanted))
    if row is None:
        raise errors.InstanceNotFound(id=id)
    return row


def get(tx: orm.Session, id: str) -> Instance | None:
    """An instance, deleted or not, whoever's: for workers, never for a user."""
    return tx.get(Instance, id)


def named(tx: orm.Session, ids: typing.Sequence[str]) -> dict[str, Instance]:
    """Those of these that there are or were, by id; one statement."""
    statement = sa.select(Instance).where(Instance.id.in_(ids))
    return {row.id: row for row in tx.scalars(statement)}


def seen(
    tx: orm.Session,
    id: str,
    project: str | None = None,
    deleted: bool | None = False,
) -> Seen:
    """One instance as ``page`` shows it; raises ``InstanceNotFound``."""
    statement = _one_of(project is not None, deleted)
    found = _seen(tx, statement, {"of": id, "owner": project})
    if not found:
        raise errors.InstanceNotFound(id=id)
    return found[0]


def page(
    tx: orm.Session,
    *,
    project: str | None = None,
    limit: int,
    marker: str | None = None,
) -> list[Seen]:
    """Up to ``limit`` instances after ``marker`` (an id), by id; deleted ones are out.

    Ask for one more than a page to know whether there is another.
    """
    statement = _page_of(project is not None, marker is not None)
    return _seen(tx, statement, {"owner": project, "most": limit, "after": marker})


def page_ids(project: str | None, limit: int, marker: str | None = None) -> Ids:
    """The ids of ``page``: what an index must find, however many there are."""
    wanted = _ids(project, deleted=False)
    if marker is not None:
        wanted = wanted.where(Instance.id > marker)
    if project is None:
        return wanted.order_by(Instance.id).limit(limit)
    return wanted.order_by(AmongLiving(Instance.deleted_at, Instance.id)).limit(limit)


def managed(
    tx: orm.Session,
    *,
    project: str | None = None,
    deleted: bool | None = None,
    limit: int,
    offset: int = 0,
) -> list[Seen]:
    """An administrator's list, last changed first; ``deleted`` None means both."""
    wanted = managed_ids(project, deleted, limit, offset)
    newest = (Instance.updated.desc(), Instance.id.desc())
    return _seen(tx, everything(wanted).order_by(*newest), {})


def managed_ids(
    project: str | None, deleted: bool | None, limit: int, offset: int = 0
) -> Ids:
    """The ids of ``managed``."""
    newest = (Instance.updated.desc(), Instance.id.desc())
    living = (AmongLiving(Instance.deleted_at.desc(), *newest),)
    order = living if deleted is False else newest
    return _ids(project, deleted).order_by(*order).limit(limit).offset(offset)


def these(tx: orm.Session, ids: Ids) -> list[Seen]:
    """Those that another list has found, by id."""
    return _seen(tx, everything(ids).order_by(Instance.id), {})


def move(
    tx: orm.Session, id: str, to: states.Task | str, **columns: typing.Any
) -> None:
    """Moves an instance to a task, if ``states.MOVES`` allows it from where it is.

    Raises ``InstanceBusy`` when it does not, and ``InstanceNotFound``. ``columns``
    change with it. (Architecture, rule 8.)
    """
    task = states.Task(to)
    moved = tx.execute(
        sa.update(Instance)
        .where(
            Instance.id == id,
            Instance.deleted_at.is_(None),
            Instance.task.in_(states.origins(task)),
        )
        .values(task=task, updated=epoch_now(), **columns)
        .execution_options(synchronize_session=False)
    )
    if not dialects.matched(moved):
        present = load(tx, id).task
        raise errors.InstanceBusy(instance=id, task=present)
    _refresh(tx, id)


def changes(tx: orm.Session, id: str, **columns: typing.Any) -> None:
    """Changes columns other than the task; raises ``InstanceNotFound``.

    Values may be SQL (``epoch_now()``). ``deleted_at`` buries the instance.
    """
    if "task" in columns:
        raise errors.Internal(why="a task is changed by move() only.")
    changed = tx.execute(
        sa.update(Instance)
        .where(Instance.id == id)
        .values(**{"updated": epoch_now(), **columns})
        .execution_options(synchronize_session=False)
    )
    if not dialects.matched(changed):
        raise errors.InstanceNotFound(id=id)
    _refresh(tx, id)


def public(tx: orm.Session, id: str, address: str | None) -> None:
    """It has this public address, and no other; None: none at all."""
    row = get(tx, id)
    if row is None:
        raise errors.InstanceNotFound(id=id)
    had = [entry for entry in row.addresses or () if entry["type"] != "public"]
    more = [{"address": address, "type": "public"}] if address else []
    changes(tx, id, addresses=[*had, *more])


def _refresh(tx: orm.Session, id: str) -> None:
    """The caller may hold the row: it must not go on with what was."""
    held = tx.identity_map.get(orm.util.identity_key(Instance, id))
    if held is not None:
        tx.refresh(held)


def _of(project: str | None, deleted: bool | None) -> list[sa.ColumnElement[bool]]:
    wanted: list[sa.ColumnElement[bool]] = []
    if project is not None:
        wanted.append(Instance.project == project)
    if deleted is not None:
        gone = Instance.deleted_at
        wanted.append(gone.is_not(None) if deleted else gone.is_(None))
    return wanted


def _ids(project: str | None, deleted: bool | None) -> Ids:
    return sa.select(Instance.id).where(*_of(project, deleted))


VERSION = [getattr(DatastoreVersion, name) for name in Version._fields]
REPORT = [getattr(GuestReport, name) for name in Report._fields]


def everything(ids: Ids) -> Rows:
    """The one statement of every view of these instances.

    The page is cut first and joined then: some planners would join everybody's rows to
    show twenty. Never a whole operation, for its input is sealed; nor any row of which
    a few columns are shown: to read the others costs a third of the list.
    """
    cut = ids.subquery("page")
    lock = sa.literal(f"{operations.INSTANCE}:", sa.String()) + Instance.id
    return (
        sa.select(
            Instance,
            *VERSION,
            Datastore.name,
            *REPORT,
            (epoch_now() - GuestReport.received_at).label("age"),
            Operation.kind,
            Operation.state,
            Source.id,
            Configuration.name,
        )
        .join(cut, cut.c.id == Instance.id)
        .outerjoin(DatastoreVersion, DatastoreVersion.id == Instance.version_id)
        .outerjoin(Datastore, Datastore.id == DatastoreVersion.datastore_id)
        .outerjoin(GuestReport, GuestReport.instance_id == Instance.id)
        .outerjoin(Operation, Operation.lock_key == lock)
        .outerjoin(
            Source,
            sa.and_(Source.id == Instance.source_id, Source.deleted_at.is_(None)),
        )
        .outerjoin(Configuration, Configuration.id == Instance.configuration_id)
    )


# Built once: to build one costs as much as to run it.


@functools.cache
def _one_of(owned: bool, deleted: bool | None) -> Rows:
    """The statement of ``seen``."""
    owner: typing.Any = sa.bindparam("owner") if owned else None
    return everything(_ids(owner, deleted).where(Instance.id == sa.bindparam("of")))


@functools.cache
def _page_of(owned: bool, further: bool) -> Rows:
    """The statement of ``page``."""
    owner: typing.Any = sa.bindparam("owner") if owned else None
    most: typing.Any = sa.bindparam("most")
    after: typing.Any = sa.bindparam("after") if further else None
    return everything(page_ids(owner, most, after)).order_by(Instance.id)


SEVERAL: sa.CompoundSelect[typing.Any] = sa.union_all(
    sa.select(
        Instance.source_id,
        Instance.id,
        sa.cast(sa.null(), sa.Double()),
        sa.cast(sa.null(), sa.Double()),
    ).where(
        Instance.source_id.in_(sa.bindparam("instances", expanding=True)),
        Instance.deleted_at.is_(None),
    ),
    archives.SPANS,
)
"""Of these instances: replicas, and moments that can be restored, with both ends."""


def _seen(tx: orm.Session, statement: Rows, given: dict[str, typing.Any]) -> list[Seen]:
    rows = tx.execute(statement, given).all()
    replicas: dict[str, list[str]] = {row[0].id: [] for row in rows}
    spans: dict[str, list[Span]] = {id: [] for id in replicas}
    if rows:
        several = tx.execute(SEVERAL, {"instances": list(replicas)})
        for instance, id, begin, end in several:
            if begin is None:
                replicas[instance].append(id)
            else:
                spans[instance].append(Span(begin, end, id))
    return [
        _row(row, tuple(sorted(replicas[id])), tuple(sorted(spans[id])))
        for row in rows
        for id in (row[0].id,)
    ]


def _row(
    row: typing.Sequence[typing.Any],
    replicas: tuple[str, ...],
    restorable: tuple[Span, ...],
) -> Seen:
    """One row of ``everything``."""
    rest = iter(row)
    instance = next(rest)
    version = Version(*itertools.islice(rest, len(VERSION)))
    datastore = next(rest)
    report = Report(*itertools.islice(rest, len(REPORT)))
    return Seen(
        instance,
        version if version.name is not None else None,
        datastore,
        report if report.service is not None else None,
        *(*rest, replicas, restorable),
    )
