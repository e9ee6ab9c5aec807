# SPDX-License-Identifier: Apache-2.0
"""Versions of datastores, as an administrator keeps them (contract, section 11).

A version that an instance has can be changed in what the next instance is made of (its
image, its tags), and be hidden; it cannot go, nor become another engine's.
"""

import logging
import typing
from collections.abc import Mapping

from sqlalchemy import orm

from trove import errors
from trove.actions import parameters
from trove.actions.datastores import Version
from trove.actions.services import Services
from trove.context import Context
from trove.datastores import registry
from trove.db.queries import configurations, datastores, modules
from trove.db.session import now
from trove.db.tables import Datastore, DatastoreVersion

LOG = logging.getLogger(__name__)

Columns = Mapping[str, typing.Any]

IN_USE = (
    "Datastore version {id} is in use by an instance, a configuration group, a module "
    "or a backup."
)


def page(services: Services) -> list[Version]:
    """All of them, the hidden ones too."""
    with services.database.reading() as tx:
        return datastores.versions(tx)


def create(
    services: Services,
    context: Context,
    datastore: str,
    columns: Columns,
    *,
    default: bool = False,
) -> str:
    """A new version's id; its datastore is made when there is none of that name.

    ``columns`` are the row's: name, number, manager, image_id, image_tags and others.
    """
    _check(services, columns)

    def work(tx: orm.Session) -> str:
        owner = datastores.register(tx, datastore)
        _refuse_twin(tx, owner.id, columns["name"], columns["number"])
        made = datastores.register_version(
            tx, datastore, default=default, **dict(columns)
        )
        parameters.seed(tx, made.id, made.manager)
        return made.id

    id = services.database.run(work)
    LOG.info("user %s made the datastore version %s", context.user, id)
    return id


def change(
    services: Services,
    context: Context,
    id: str,
    columns: Columns,
    default: bool | None = None,
) -> None:
    """Sets ``columns``; ``default`` makes it its datastore's, or takes that from it."""
    _check(services, columns)

    def work(tx: orm.Session) -> None:
        owner, row = _locked(tx, id)
        if columns.get("name", row.name) != row.name:
            _refuse_twin(tx, owner.id, columns["name"], row.number)
        former = row.manager
        manager = columns.get("manager", former)
        if manager != former and datastores.in_use(tx, id):
            raise errors.Invalid(IN_USE.format(id=id))
        for column, value in columns.items():
            setattr(row, column, value)
        if not row.image_id and not row.image_tags:
            raise errors.Invalid("A version needs an image or image tags.")
        if manager != former:
            parameters.declare(tx, id, manager)
        row.updated = now(tx)
        if default is not None:
            _make_default(owner, row, default)

    services.database.run(work)
    LOG.info("user %s changed the datastore version %s", context.user, id)


def delete(services: Services, context: Context, id: str) -> None:
    """Ends one that no instance has."""

    def work(tx: orm.Session) -> None:
        owner, row = _locked(tx, id)
        if datastores.in_use(tx, id):
            raise errors.Invalid(IN_USE.format(id=id))
        _make_default(owner, row, False)
        configurations.load_rules(tx, id, {})
        tx.delete(row)

    services.database.run(work)
    LOG.info("user %s deleted the datastore version %s", context.user, id)


def delete_datastore(services: Services, context: Context, which: str) -> None:
    """Ends a datastore, by id or name, that has no versions left."""

    def work(tx: orm.Session) -> str:
        datastores.hold_datastore(tx, which)
        offer = datastores.find(tx, which, inactive=True)
        if offer.versions:
            raise errors.Invalid(
                f"Datastore {offer.datastore.name} has versions; delete them first."
            )
        if modules.of_datastore(tx, offer.datastore.id):
            raise errors.Invalid(
                f"Datastore {offer.datastore.name} has modules; delete them first."
            )
        tx.delete(offer.datastore)
        return offer.datastore.id

    id = services.database.run(work)
    LOG.info("user %s deleted the datastore %s", context.user, id)


def _check(services: Services, columns: Columns) -> None:
    """What others know: the plug-ins, and the cloud's images."""
    manager = columns.get("manager")
    if manager is not None and manager not in registry.names():
        raise errors.Invalid(
            f"There is no datastore manager '{manager}'; there are "
            f"{', '.join(registry.names())}."
        )
    image = columns.get("image_id")
    if image and services.cloud.images.show(image) is None:
        raise errors.Invalid(f"Image {image} cannot be found.")


def _locked(tx: orm.Session, id: str) -> Version:
    """One that stays as it is until the transaction ends: a create waits for it."""
    datastores.keep_still(tx, id)
    return datastores.version_by_id(tx, id, inactive=True)


def _refuse_twin(tx: orm.Session, datastore: str, name: str, number: str) -> None:
    if datastores.named_version(tx, datastore, name, number) is not None:
        raise errors.Invalid(f"A datastore version '{name}' ({number}) exists already.")


def _make_default(owner: Datastore, row: DatastoreVersion, wanted: bool) -> None:
    if wanted:
        owner.default_version_id = row.id
    elif owner.default_version_id == row.id:
        owner.default_version_id = None
