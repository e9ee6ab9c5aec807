# SPDX-License-Identifier: Apache-2.0
"""Datastores and their versions, as a user or an admin may see them."""

from trove import errors
from trove.actions.services import Services
from trove.datastores import registry
from trove.db.queries import datastores
from trove.db.queries.datastores import Offer
from trove.db.tables import Datastore, DatastoreVersion

Version = tuple[Datastore, DatastoreVersion]


def page(services: Services, inactive: bool) -> list[Offer]:
    """Every datastore; for a user those with an active version."""
    with services.database.reading() as tx:
        return datastores.all(tx, inactive=inactive)


def show(services: Services, which: str, inactive: bool) -> Offer:
    """By id or name."""
    with services.database.reading() as tx:
        return datastores.find(tx, which, inactive=inactive)


def versions(services: Services, which: str, inactive: bool) -> list[Version]:
    """The versions of a datastore, by name and number."""
    offer = show(services, which, inactive)
    return [(offer.datastore, version) for version in offer.versions]


def version(services: Services, which: str, name: str, inactive: bool) -> Version:
    """One by id or name; not found is told as 404 whichever was given."""
    offer = show(services, which, inactive)
    found = [row for row in offer.versions if row.id == name]
    found = found or [row for row in offer.versions if row.name == name]
    if not found:
        raise errors.DatastoreVersionNotFound(id=name)
    if len(found) > 1:
        numbers = ", ".join(row.number for row in found)
        raise errors.Invalid(
            f"There are several versions '{name}' ({numbers}); ask by id."
        )
    return offer.datastore, found[0]


def version_by_id(services: Services, id: str, inactive: bool) -> Version:
    """One by its id alone."""
    with services.database.reading() as tx:
        return datastores.version_by_id(tx, id, inactive=inactive)


def chained(row: DatastoreVersion) -> bool:
    """Whether it has incremental backups; a manager that is not known here has none."""
    known = row.manager in registry.names()
    return known and registry.get(row.manager).chains(row.number)
