# SPDX-License-Identifier: Apache-2.0
"""What is changed of an instance that stays: restart, volume, access.

Each is an operation: accepted here, in one transaction with the task and the quota.
"""

import typing

from sqlalchemy import orm

from trove import errors
from trove.actions import begin, offers
from trove.actions.begin import Token
from trove.actions.instances import refuse_busy, refuse_unable
from trove.actions.services import Services
from trove.context import Context
from trove.db.queries import instances, quotas
from trove.db.tables import DatastoreVersion
from trove.model import operations
from trove.model import quotas as costs
from trove.model.states import Task


def restart(
    services: Services,
    context: Context,
    id: str,
    project: str | None,
    token: Token | None = None,
) -> None:
    """NONE -> REBOOTING, if the database is in a state that has a restart."""

    def work(tx: orm.Session) -> tuple[str, str]:
        seen = instances.seen(tx, id, project)
        refuse_unable(services, seen)
        instances.move(tx, id, Task.REBOOTING)
        kind, owner = operations.RESTART, seen.instance.project
        return begin.open(tx, context, kind, owner, id, {}, token), id

    begin.begin(services, context, context.project or "", token, work)


def stop(services: Services, context: Context, id: str, token: Token | None) -> None:
    """NONE -> UPDATING: the database is stopped, until it is restarted."""

    def work(tx: orm.Session) -> tuple[str, str]:
        seen = instances.seen(tx, id)
        refuse_unable(services, seen)
        instances.move(tx, id, Task.UPDATING)
        kind, owner = operations.STOP, seen.instance.project
        return begin.open(tx, context, kind, owner, id, {}, token), id

    begin.begin(services, context, context.project or "", token, work)


def reboot(services: Services, context: Context, id: str, token: Token | None) -> None:
    """NONE -> REBOOTING, of a server whose guest may be silent: that is what for."""

    def work(tx: orm.Session) -> tuple[str, str]:
        seen = instances.seen(tx, id)
        refuse_busy(services, seen)
        instances.move(tx, id, Task.REBOOTING)
        kind, owner = operations.REBOOT, seen.instance.project
        return begin.open(tx, context, kind, owner, id, {}, token), id

    begin.begin(services, context, context.project or "", token, work)


def migrate(
    services: Services, context: Context, id: str, host: str | None, token: Token | None
) -> None:
    """NONE -> MIGRATING, to this host of the cloud, or to one of its choice."""

    def work(tx: orm.Session) -> tuple[str, str]:
        seen = instances.seen(tx, id)
        refuse_unable(services, seen)
        instances.move(tx, id, Task.MIGRATING)
        kind, owner = operations.MIGRATE, seen.instance.project
        input = operations.MigrateInstance(host).to_dict()
        return begin.open(tx, context, kind, owner, id, input, token), id

    begin.begin(services, context, context.project or "", token, work)


def resize_volume(
    services: Services,
    context: Context,
    id: str,
    project: str | None,
    size: int,
    token: Token | None = None,
) -> None:
    """NONE -> RESIZING, with the difference reserved; ``size`` in GiB, and larger."""
    largest = services.settings.max_volume_size
    if size > largest:
        raise errors.OverLimit(
            f"A volume of {size} GiB is larger than the {largest} GiB that are allowed."
        )
    grows = services.cloud.volumes.grow_in_use
    kind = operations.RESIZE_VOLUME if grows else operations.RESIZE_OFFLINE

    def work(tx: orm.Session) -> tuple[str, str]:
        seen = instances.seen(tx, id, project)
        row = seen.instance
        if row.volume_size is None:
            raise errors.Invalid(f"Instance {id} has no volume.")
        refuse_unable(services, seen)
        if size <= row.volume_size:
            raise errors.Invalid(
                f"The volume has {row.volume_size} GiB; its new size must be larger."
            )
        more = {costs.VOLUMES: size - row.volume_size}
        quotas.reserve(tx, row.project, more, dict(services.settings.quotas))
        instances.move(tx, id, Task.RESIZING, volume_target=size)
        return begin.open(tx, context, kind, row.project, id, {}, token), id

    begin.begin(services, context, context.project or "", token, work)


def resize_flavor(
    services: Services,
    context: Context,
    id: str,
    project: str | None,
    flavor: str,
    token: Token | None = None,
) -> None:
    """NONE -> RESIZING, with what the new flavor has more of reserved."""
    with services.database.reading() as tx:
        row = instances.load(tx, id, project)
        version = tx.get_one(DatastoreVersion, row.version_id)
    wanted = offers.flavor(services, version, flavor)

    def work(tx: orm.Session) -> tuple[str, str]:
        seen = instances.seen(tx, id, project)
        row = seen.instance
        refuse_unable(services, seen)
        if wanted.id == row.flavor_id:
            raise errors.Invalid(f"Instance {id} has the flavor {wanted.id}.")
        most = max(row.ram, wanted.ram)
        more = {costs.RAM: most - row.ram}
        quotas.reserve(tx, row.project, more, dict(services.settings.quotas))
        instances.move(tx, id, Task.RESIZING, ram_target=most)
        input = operations.ResizeFlavor(
            operations.Size(row.flavor_id, row.ram, row.vcpus),
            operations.Size(wanted.id, wanted.ram, wanted.vcpus),
        )
        kind, plain = operations.RESIZE_FLAVOR, input.to_dict()
        return begin.open(tx, context, kind, row.project, id, plain, token), id

    begin.begin(services, context, context.project or "", token, work)


def change_access(
    services: Services,
    context: Context,
    id: str,
    project: str | None,
    access: dict[str, typing.Any],
) -> None:
    """NONE -> UPDATING; ``access`` as it is stored."""

    def work(tx: orm.Session) -> tuple[str, str] | None:
        row = instances.load(tx, id, project)
        before = row.access
        if access == before:
            return None
        if access["is_public"] and not (before or {}).get("is_public"):
            offers.check_public(services)
        instances.move(tx, id, Task.UPDATING, access=access)
        input = operations.ChangeAccess(before).to_dict()
        return begin.open(tx, context, operations.ACCESS, row.project, id, input), id

    begin.begin(services, context, context.project or "", None, work)
