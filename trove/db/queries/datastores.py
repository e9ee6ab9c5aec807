# SPDX-License-Identifier: Apache-2.0
"""Datastores and their versions: list, find, choose for a create, register.

Users see active versions only (``inactive=False``); contract sections 6.2 and 11.
"""

import dataclasses
import typing
import uuid

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.db.session import now
from trove.db.tables import (
    Backup,
    Configuration,
    Datastore,
    DatastoreVersion,
    Instance,
    Module,
    RecycledInstance,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Offer:
    """A datastore with the versions that the caller may see, by name and number."""

    datastore: Datastore
    versions: tuple[DatastoreVersion, ...]

    @property
    def default_version(self) -> str | None:
        """Its default version's id, only when it is among ``versions``."""
        wanted = self.datastore.default_version_id
        return (
            wanted if any(version.id == wanted for version in self.versions) else None
        )


def all(tx: orm.Session, *, inactive: bool = False) -> list[Offer]:
    """Every datastore, by name; for a user only those with an active version."""
    offers = _offers(tx, sa.select(Datastore).order_by(Datastore.name), inactive)
    return [offer for offer in offers if inactive or offer.versions]


def find(tx: orm.Session, which: str, *, inactive: bool = False) -> Offer:
    """A datastore by id or name; raises ``DatastoreNotFound``."""
    offers = _offers(tx, _datastores(which), inactive)
    if not offers:
        raise errors.DatastoreNotFound(id=which)
    return _exact(offers, which)


def version(
    tx: orm.Session, datastore: str, which: str, *, inactive: bool = False
) -> tuple[Datastore, DatastoreVersion]:
    """A version of a datastore by id or, when that is enough, by name.

    Raises ``DatastoreVersionNotFound`` for an unknown id, ``Invalid`` for an unknown
    name: the two answers that clients know.
    """
    offer = find(tx, datastore, inactive=inactive)
    for row in offer.versions:
        if row.id == which:
            return offer.datastore, row
    if _is_id(which):
        raise errors.DatastoreVersionNotFound(id=which)
    return offer.datastore, _choose(offer, which, None)


def version_by_id(
    tx: orm.Session, id: str, *, inactive: bool = False
) -> tuple[Datastore, DatastoreVersion]:
    """A version by its id alone; raises ``DatastoreVersionNotFound``."""
    found = tx.execute(
        sa.select(Datastore, DatastoreVersion)
        .join(DatastoreVersion, DatastoreVersion.datastore_id == Datastore.id)
        .where(DatastoreVersion.id == id)
    ).one_or_none()
    if found is None or not (inactive or found[1].active):
        raise errors.DatastoreVersionNotFound(id=id)
    return found[0], found[1]


def versions(tx: orm.Session) -> list[tuple[Datastore, DatastoreVersion]]:
    """Every version of every datastore, for an administrator."""
    statement = (
        sa.select(Datastore, DatastoreVersion)
        .join(DatastoreVersion, DatastoreVersion.datastore_id == Datastore.id)
        .order_by(Datastore.name, DatastoreVersion.name, DatastoreVersion.number)
    )
    return [(datastore, row) for datastore, row in tx.execute(statement)]


def resolve(
    tx: orm.Session,
    type: str | None = None,
    version: str | None = None,
    number: str | None = None,
    *,
    default: str | None = None,
) -> tuple[Datastore, DatastoreVersion]:
    """The active version that a create asks for.

    ``type`` missing: the service's ``default``; ``version`` (a name or an id) missing:
    the datastore's default version; ``number`` chooses among versions of one name.
    Raises ``DatastoreNotFound``, or ``Invalid`` for a version.
    """
    which = type or default
    if not which:
        raise errors.Invalid(
            "Please specify a datastore: there is no default datastore."
        )
    offer = find(tx, which)
    wanted = version or offer.datastore.default_version_id
    if not wanted:
        raise errors.Invalid(
            f"Please specify a version: datastore '{offer.datastore.name}' has no "
            "default version."
        )
    for row in offer.versions:
        if row.id == wanted and number in (None, row.number):
            return offer.datastore, row
    return offer.datastore, _choose(offer, wanted, number)


def register(tx: orm.Session, name: str) -> Datastore:
    """The datastore of that name, made when there is none."""
    # held, for who deletes an empty one looks for versions first
    named = sa.select(Datastore).where(Datastore.name == name)
    row = tx.scalar(named.with_for_update())
    if row is None:
        moment = now(tx)
        row = Datastore(id=_new_id(), name=name, created=moment, updated=moment)
        tx.add(row)
        tx.flush()
    return row


def register_version(
    tx: orm.Session,
    datastore: str,
    name: str,
    number: str,
    *,
    default: bool = False,
    **columns: typing.Any,
) -> DatastoreVersion:
    """The version of that name and number, made or changed; ``columns`` are its own."""
    owner = register(tx, datastore)
    row = named_version(tx, owner.id, name, number)
    moment = now(tx)
    if row is None:
        row = DatastoreVersion(
            id=_new_id(),
            datastore_id=owner.id,
            name=name,
            number=number,
            created=moment,
            **{"image_tags": [], "packages": [], "active": True},
        )
        tx.add(row)
    for column, value in columns.items():
        setattr(row, column, value)
    row.updated = moment
    if default:
        owner.default_version_id, owner.updated = row.id, moment
    tx.flush()
    return row


def named_version(
    tx: orm.Session, datastore_id: str, name: str, number: str
) -> DatastoreVersion | None:
    """The one version of a datastore with this name and number, if there is one."""
    return tx.scalar(
        sa.select(DatastoreVersion).where(
            DatastoreVersion.datastore_id == datastore_id,
            DatastoreVersion.name == name,
            DatastoreVersion.number == number,
        )
    )


def keep_still(tx: orm.Session, version_id: str) -> None:
    """Nobody makes an instance of this version before the transaction ends."""
    wanted = sa.select(DatastoreVersion.id).where(DatastoreVersion.id == version_id)
    tx.execute(wanted.with_for_update())


def hold_datastore(tx: orm.Session, which: str) -> None:
    """Nobody makes a version of this datastore before the transaction ends."""
    tx.execute(_datastores(which).with_for_update())


def hold(tx: orm.Session, version_id: str) -> None:
    """Nobody deletes this version before the transaction ends; raises ``Invalid``."""
    wanted = sa.select(DatastoreVersion.id).where(DatastoreVersion.id == version_id)
    if tx.scalar(wanted.with_for_update(read=True)) is None:
        raise errors.Invalid(f"Datastore version '{version_id}' cannot be found.")


def in_use(tx: orm.Session, version_id: str) -> bool:
    """Whether what is not deleted has this version: an instance, a group, a module, or
    a backup, which no other version restores; or an instance of the recycle bin."""
    had = [
        sa.exists().where(table.version_id == version_id, table.deleted_at.is_(None))
        for table in (Instance, Configuration, Module, Backup)
    ]
    recycled = RecycledInstance.instance_id == Instance.id
    had.append(sa.exists().where(recycled, Instance.version_id == version_id))
    return bool(tx.scalar(sa.select(sa.or_(*had))))


def _datastores(which: str) -> sa.Select[Datastore]:
    return sa.select(Datastore).where(
        sa.or_(Datastore.id == which, Datastore.name == which)
    )


def _exact(offers: list[Offer], which: str) -> Offer:
    """Should one's name be another's id, the id wins."""
    return next((offer for offer in offers if offer.datastore.id == which), offers[0])


def _offers(
    tx: orm.Session, datastores: sa.Select[Datastore], inactive: bool
) -> list[Offer]:
    rows = tx.scalars(datastores).all()
    statement = (
        sa.select(DatastoreVersion)
        .where(DatastoreVersion.datastore_id.in_([row.id for row in rows]))
        .order_by(DatastoreVersion.name, DatastoreVersion.number)
    )
    if not inactive:
        statement = statement.where(DatastoreVersion.active.is_(True))
    shown: dict[str, list[DatastoreVersion]] = {row.id: [] for row in rows}
    for found in tx.scalars(statement) if rows else ():
        shown[found.datastore_id].append(found)
    return [Offer(row, tuple(shown[row.id])) for row in rows]


def _choose(offer: Offer, name: str, number: str | None) -> DatastoreVersion:
    named = [
        row
        for row in offer.versions
        if row.name == name and number in (None, row.number)
    ]
    if len(named) > 1:
        numbers = ", ".join(row.number for row in named)
        raise errors.Invalid(
            f"Datastore version '{name}' is not unique; give version_number, one of: "
            f"{numbers}."
        )
    if not named:
        raise errors.Invalid(f"Datastore version '{name}' cannot be found.")
    return named[0]


def _is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _new_id() -> str:
    return str(uuid.uuid4())
