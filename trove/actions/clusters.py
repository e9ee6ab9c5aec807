# SPDX-License-Identifier: Apache-2.0
"""Clusters: what is told of them while no datastore has any (contract, section 16)."""

import typing

from trove import errors
from trove.actions.services import Services
from trove.db.queries import datastores


def create(services: Services, datastore: typing.Mapping[str, str | None]) -> None:
    """Raises what is wrong with the datastore, or that it has no clusters."""
    with services.database.reading() as tx:
        found, version = datastores.resolve(
            tx,
            datastore.get("type"),
            datastore.get("version"),
            datastore.get("version_number"),
            default=services.settings.default_datastore,
        )
    raise errors.ClustersNotSupported(datastore=found.name, version=version.name)


def show(id: str) -> None:
    """There is none of this id, nor of any other."""
    raise errors.ClusterNotFound(id=id)
