# SPDX-License-Identifier: Apache-2.0
"""Instances: create, delete, rename, reset; look at one, or at a page."""

import dataclasses
import secrets
import typing
import uuid

import sqlalchemy as sa
from sqlalchemy import orm

from trove import errors
from trove.actions import (
    begin,
    modules,
    moments,
    nics,
    offers,
    orders,
    restores,
    schedules,
)
from trove.actions.begin import Begun, Token
from trove.actions.orders import Order
from trove.actions.services import Services
from trove.cloud.protocol import Flavor
from trove.context import Context
from trove.datastores import registry
from trove.db.queries import configurations, datastores, instances, quotas
from trove.db.queries import modules as modulerows
from trove.db.queries.instances import Seen
from trove.db.session import now
from trove.db.tables import Datastore, DatastoreVersion, Instance
from trove.model import health, operations
from trove.model import quotas as costs
from trove.model.states import Task
from trove.workflow import journal

ABLE = frozenset({"HEALTHY", "ACTIVE", "BLOCKED", "SHUTDOWN", "RESTART_REQUIRED"})
"""Of a database, by its ``operating_status``, that an action may be asked for."""


def status(services: Services, seen: Seen) -> tuple[str, str]:
    """What a user is shown: ``(status, operating_status)``."""
    row, report = seen.instance, seen.report
    return health.status(
        row.task,
        report.service if report else None,
        seen.age,
        row.fault is not None,
        restart_required=row.restart_required,
        silent_after=services.settings.heartbeat_expiry,
        live=seen.live,
        live_state=seen.live_state,
    )


# -- looking ------------------------------------------------------------------------


def show(services: Services, id: str, project: str | None, owner: str) -> Seen:
    """By id; or by name, if that is unique in the caller's own project."""
    with services.database.reading() as tx:
        try:
            return instances.seen(tx, id, project)
        except errors.InstanceNotFound:
            named = tx.scalars(
                sa.select(Instance.id)
                .where(
                    Instance.project == owner,
                    Instance.name == id,
                    Instance.deleted_at.is_(None),
                )
                .limit(2)
            ).all()
            if len(named) != 1:
                raise
            return instances.seen(tx, named[0], project)


def known(services: Services, id: str, project: str | None) -> str:
    """The id, if there is such an instance for the caller."""
    with services.database.reading() as tx:
        return instances.load(tx, id, project).id


def page(
    services: Services, owner: str, limit: int, marker: str | None
) -> tuple[list[Seen], str | None]:
    """A page in the order of ids, shown newest first; and the next one's marker."""
    with services.database.reading() as tx:
        found = instances.page(tx, project=owner, limit=limit + 1, marker=marker)
    following = found[limit - 1].instance.id if len(found) > limit else None
    newest = sorted(
        found[:limit], key=lambda seen: (-seen.instance.created, seen.instance.id)
    )
    return newest, following


# -- create -------------------------------------------------------------------------


def create(
    services: Services,
    context: Context,
    owner: str,
    order: Order,
    token: Token | None = None,
) -> Seen:
    """Accepts a create; the same answer again for the same token."""
    earlier = begin.earlier(services, owner, token)
    if earlier is not None:
        made = earlier.object_id
    else:
        made = _accepted(services, context, owner, order, token)
    with services.database.reading() as tx:
        # a replay may come when the instance is gone again
        return instances.seen(tx, made, owner, deleted=None)


def _accepted(
    services: Services, context: Context, owner: str, order: Order, token: Token | None
) -> str:
    """The id of an instance that will be."""
    project = None if context.is_admin else owner
    order, replay = moments.chosen(services, order, project)
    _, version = _version(services, order, project)
    spec = registry.get(version.manager)
    orders.check_volume(order, spec, services.settings.max_volume_size)
    orders.check_accounts(order, spec)
    flavor = offers.flavor(services, version, order.flavor)
    offers.check_volume_type(services, version, order.volume_type)
    order = _placed(services, owner, order)
    image = services.images.image(version)
    id = str(uuid.uuid4())
    cost = costs.cost_of_instance(flavor.ram, order.volume_size)

    def work(tx: orm.Session) -> tuple[str, str]:
        datastores.hold(tx, version.id)
        if order.restore is not None:
            restores.hold(tx, order, project)
        moments.hold(tx, order, replay)
        if order.configuration is not None:
            check_group(tx, order.configuration, owner, version.id)
        nics.refuse_lent(tx, order.nic)
        quotas.reserve(tx, owner, cost, dict(services.settings.quotas))
        tx.add(_row(services, tx, id, owner, order, version, flavor))
        tx.flush()
        _ask_modules(tx, id, owner, project, version, order.modules)
        schedules.born(services, tx, owner, id, version, order.backup_policy)
        input = operations.CreateInstance(
            image=image,
            datastore=version.manager,
            version=version.number,
            vcpus=flavor.vcpus,
            cost=cost,
            databases=order.databases,
            users=order.users,
            locality=order.locality,
            modules=order.modules,
            restore=order.restore,
            replay=replay,
        )
        kind = operations.CREATE
        plain = input.to_dict()
        longer = operations.RESTORES if order.restore else 0.0
        return begin.open(tx, context, kind, owner, id, plain, token, longer=longer), id

    begun = begin.begin(services, context, owner, token, work)
    return typing.cast(Begun, begun).object_id


def _version(
    services: Services, order: Order, project: str | None
) -> tuple[Datastore, DatastoreVersion]:
    with services.database.reading() as tx:
        if order.restore is not None:
            return restores.version(tx, order, project)
        return datastores.resolve(
            tx,
            order.datastore,
            order.version,
            order.version_number,
            default=services.settings.default_datastore,
        )


def _placed(services: Services, owner: str, order: Order) -> Order:
    """The same, with the place of its port."""
    if (order.access or {}).get("is_public"):
        offers.check_public(services)
    nic = nics.checked(services, owner, order.nic)
    return dataclasses.replace(order, nic=nic)


def _row(
    services: Services,
    tx: orm.Session,
    id: str,
    owner: str,
    order: Order,
    version: DatastoreVersion,
    flavor: Flavor,
) -> Instance:
    moment = now(tx)
    return Instance(
        id=id,
        project=owner,
        name=order.name,
        task=Task.BUILDING,
        version_id=version.id,
        flavor_id=flavor.id,
        volume_size=order.volume_size,
        volume_type=order.volume_type,
        region=order.region or services.settings.region,
        availability_zone=order.availability_zone,
        nic=order.nic,
        port_id=nics.port_of(order.nic),
        access=order.access,
        locality=order.locality,
        restart_required=False,
        was_active=False,
        deletion_protection=order.deletion_protection,
        ram=flavor.ram,
        vcpus=flavor.vcpus,
        configuration_id=order.configuration,
        restored_from=order.restore,
        server_number=free_number(tx),
        created=moment,
        updated=moment,
    )


def _ask_modules(
    tx: orm.Session,
    id: str,
    owner: str,
    project: str | None,
    version: DatastoreVersion,
    asked: typing.Sequence[str],
) -> None:
    """Those that were asked for, and those that every such instance gets."""
    modules.chosen(tx, project, version.id, asked)
    given = modulerows.automatic(tx, owner, version.datastore_id, version.id)
    modulerows.ask(tx, id, dict.fromkeys([*asked, *(row.id for row in given)]))


def check_group(tx: orm.Session, id: str, owner: str, version_id: str) -> None:
    """A group that an instance of this project and version may have; it is held."""
    row = configurations.hold(tx, id, owner)
    if row.version_id != version_id:
        raise errors.Invalid(
            f"Configuration group {id} is of another datastore version."
        )


def free_number(tx: orm.Session, wanted: int | None = None) -> int:
    """One that no live instance has, for replicas tell servers apart by it: this one,
    or a random one."""
    while True:
        number, wanted = wanted or secrets.randbelow(2**32 - 1) + 1, None
        taken = sa.exists().where(
            Instance.server_number == number, Instance.deleted_at.is_(None)
        )
        if not tx.scalar(sa.select(taken)):
            return number


# -- change -------------------------------------------------------------------------


def rename(
    services: Services, context: Context, id: str, project: str | None, name: str
) -> None:
    """A name is ours alone: nothing outside changes with it."""

    def work(tx: orm.Session) -> None:
        row = instances.load(tx, id, project)
        if row.name != name:
            instances.changes(tx, id, name=name)
            journal.event(tx, id, "instance.renamed", None, context.request_id)

    services.database.run(work)


def protect(
    services: Services, context: Context, id: str, project: str | None, on: bool
) -> None:
    """Has nobody delete it, or lets it be deleted; in every state."""

    def work(tx: orm.Session) -> None:
        if instances.load(tx, id, project).deletion_protection == on:
            return
        instances.changes(tx, id, deletion_protection=on)
        seen = instances.seen(tx, id, project)
        # looked at after the change: a delete may have come between
        if on and seen.instance.task == Task.DELETING:
            raise errors.InstanceBusy(instance=id, task=status(services, seen)[0])
        kind = "instance.protected" if on else "instance.unprotected"
        who = {"user": context.user}
        journal.event(tx, id, kind, who, context.request_id)

    services.database.run(work)


def refuse_unable(services: Services, seen: Seen) -> None:
    """Raises for one that is busy, or whose database no action can be asked of."""
    refuse_busy(services, seen)
    shown, operating = status(services, seen)
    if operating not in ABLE:
        raise errors.InstanceNotReady(
            instance=seen.instance.id, status=operating or shown
        )


def refuse_busy(services: Services, seen: Seen) -> None:
    """Raises for one that something is done to."""
    if seen.instance.task != Task.NONE:
        shown, _ = status(services, seen)
        raise errors.InstanceBusy(instance=seen.instance.id, task=shown)


def reset_status(
    services: Services, context: Context, id: str, project: str | None
) -> None:
    """Stops what is under way; without anything under way, calls the instance idle.

    What is stopped is undone by its own flow, which says where that leads. A delete is
    never stopped, and one whose creation failed stays so: it owns nothing.
    """

    def work(tx: orm.Session) -> str | None:
        row = instances.load(tx, id, project)
        live = journal.live(tx, operations.INSTANCE, id)
        if live is not None and live.kind == operations.DELETE:
            return None
        stopped = live is not None and journal.cancel(tx, live.id)
        idle = row.task in (Task.NONE, Task.DELETING)
        if not stopped and row.was_active and not idle:
            instances.move(tx, id, Task.NONE)
        journal.event(
            tx, id, "instance.reset", {"user": context.user}, context.request_id
        )
        return live.id if live is not None and stopped else None

    operation = services.database.run(work)
    if operation is not None:
        services.ring(operation)
