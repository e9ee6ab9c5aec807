# SPDX-License-Identifier: Apache-2.0
"""All resources of the API, and the route table made of them."""

from trove.api.resources import (
    archives,
    backups,
    clusters,
    configurations,
    copies,
    databases,
    datastores,
    flavors,
    history,
    instancemodules,
    instances,
    limits,
    logs,
    managed,
    modules,
    parameters,
    quotas,
    recycled,
    root,
    schedules,
    ssl,
    strategies,
    users,
    versions,
)
from trove.api.table import Table

RESOURCES = (
    *instances.RESOURCES,
    *databases.RESOURCES,
    *users.RESOURCES,
    *root.RESOURCES,
    *logs.RESOURCES,
    *ssl.RESOURCES,
    *instancemodules.RESOURCES,
    *copies.RESOURCES,
    *history.RESOURCES,
    *recycled.RESOURCES,
    *managed.RESOURCES,
    *datastores.RESOURCES,
    *versions.RESOURCES,
    *configurations.RESOURCES,
    *parameters.RESOURCES,
    *modules.RESOURCES,
    *backups.RESOURCES,
    *strategies.RESOURCES,
    *schedules.RESOURCES,
    *archives.RESOURCES,
    *clusters.RESOURCES,
    *flavors.RESOURCES,
    *limits.RESOURCES,
    *quotas.RESOURCES,
)

TABLE = Table(RESOURCES)
