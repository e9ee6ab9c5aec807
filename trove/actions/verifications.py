# SPDX-License-Identifier: Apache-2.0
"""Verifications: a backup waits for one, and has it when there is a place.

Its policy asks (``flows.instance_backup.settle``), or its user. The instance that it is
restored into is one of the service's own project, whose quota is how many there may be
at once: it is in no list, quota or network of a user's.
"""

import dataclasses
import uuid

from sqlalchemy import orm

from trove import errors
from trove.actions import begin, restores
from trove.actions.instances import free_number
from trove.actions.services import Services
from trove.cloud.protocol import Flavor
from trove.context import Context
from trove.db.queries import backups, datastores, instances, quotas, verifications
from trove.db.session import now
from trove.db.tables import Backup, DatastoreVersion, Instance
from trove.model import operations
from trove.model import quotas as costs
from trove.model.backups import BackupState
from trove.model.states import Task
from trove.model.verifications import OWNER, UNDER_WAY, Verification
from trove.workflow import journal


@dataclasses.dataclass(frozen=True, slots=True)
class Like:
    """What the server is made like: of the backup's version, as its source is."""

    source: Instance
    version: DatastoreVersion
    flavor: Flavor
    image: str


def ask(services: Services, context: Context, id: str, project: str | None) -> None:
    """It waits from now on. Raises ``BackupNotVerifiable`` for one that cannot."""
    if services.settings.backup_driver is None:
        raise errors.Unsupported("Backups are not set up here, so none is verified.")
    with services.database.reading() as tx:
        row = backups.load(tx, id, project)
    _refuse(row)
    _like(services, row)

    def work(tx: orm.Session) -> None:
        row = backups.load(tx, id, project)
        restores.hold_chain(tx, row)
        _refuse(backups.load(tx, id, project))  # as it is, now that it is held
        verifications.wait(tx, id)
        about = {"backup": id, "user": context.user}
        kind, request = "instance.backup_verification", context.request_id
        journal.event(tx, row.instance_id, kind, about, request)

    services.database.run(work)


def _refuse(row: Backup) -> None:
    if row.state != BackupState.COMPLETED:
        why = f"it is {row.state}, not {BackupState.COMPLETED}."
        raise errors.BackupNotVerifiable(id=row.id, why=why)
    if row.verification in UNDER_WAY:
        why = f"its last verification is {row.verification}."
        raise errors.BackupNotVerifiable(id=row.id, why=why)


def _like(services: Services, row: Backup) -> Like:
    """Raises when there is no such flavor or image any more."""
    with services.database.reading() as tx:
        source = instances.get(tx, row.instance_id)
        version = datastores.version_by_id(tx, row.version_id, inactive=True)[1]
    if source is None:
        why = "nothing is known of the instance that it is of."
        raise errors.BackupNotVerifiable(id=row.id, why=why)
    try:
        flavor = services.flavors.find(source.flavor_id)
        return Like(source, version, flavor, services.images.image(version))
    except (errors.NotFound, errors.Invalid) as gone:
        raise errors.BackupNotVerifiable(id=row.id, why=gone.message) from None


def start(services: Services, id: str) -> str | None:
    """The operation that verifies it; None: it does not wait any more.

    Raises ``OverLimit`` while as many are verified as may be at once, and what says
    why this one cannot be.
    """
    with services.database.reading() as tx:
        row = backups.load(tx, id)
    like = _like(services, row)

    def work(tx: orm.Session) -> str | None:
        row = backups.load(tx, id)
        restores.hold_chain(tx, row)
        row = backups.load(tx, id)
        if row.verification != Verification.WAITING:
            return None
        verifications.running(tx, id)
        return _begin(services, tx, row, like)

    return services.database.run(work)


def _begin(services: Services, tx: orm.Session, row: Backup, like: Like) -> str:
    datastores.hold(tx, like.version.id)
    instance = _instance(tx, row, like)
    cost = costs.cost_of_instance(instance.ram, instance.volume_size)
    at_once = {costs.INSTANCES: services.settings.verify_at_once}
    quotas.reserve(tx, OWNER, cost, at_once)
    tx.add(instance)
    tx.flush()
    input = operations.CreateInstance(
        image=like.image,
        datastore=like.version.manager,
        version=like.version.number,
        vcpus=like.flavor.vcpus,
        cost=cost,
        restore=row.id,
    )
    plain, context = input.to_dict(), Context(project=OWNER)
    return begin.open(tx, context, operations.VERIFY, OWNER, instance.id, plain)


def _instance(tx: orm.Session, row: Backup, like: Like) -> Instance:
    """One like its source: without a network, a group or an access of a user's."""
    source, moment = like.source, now(tx)
    return Instance(
        id=str(uuid.uuid4()),
        project=OWNER,
        name=f"verification-{row.id}",
        task=Task.BUILDING,
        version_id=like.version.id,
        flavor_id=like.flavor.id,
        volume_size=_room(row, source.volume_size),
        volume_type=source.volume_type,
        region=source.region,
        availability_zone=source.availability_zone,
        restart_required=False,
        was_active=False,
        ram=like.flavor.ram,
        vcpus=like.flavor.vcpus,
        restored_from=row.id,
        server_number=free_number(tx),
        created=moment,
        updated=moment,
    )


def _room(row: Backup, size: int | None) -> int | None:
    """GiB of its volume, where the source has one. The increments of a chain are on it
    beside what they change: too little room would be taken for a sick backup."""
    needed = (row.size or 0) * (1 if row.parent_id is None else 2)
    return None if size is None else max(size, -(-needed // restores.GIB))


def give_up(services: Services, id: str, fault: errors.TroveError) -> None:
    """Nothing was tried, and this is why."""

    def work(tx: orm.Session) -> None:
        if verifications.failed(tx, id, fault.message):
            about = {"backup": id, "why": fault.message}
            row = backups.load(tx, id)
            journal.event(tx, row.instance_id, "instance.backup_not_verified", about)

    services.database.run(work)
