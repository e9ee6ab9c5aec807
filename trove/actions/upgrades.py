# SPDX-License-Identifier: Apache-2.0
"""Another version of the datastore for an instance, or the same on another image."""

from sqlalchemy import orm

from trove import errors
from trove.actions import begin
from trove.actions.begin import Token
from trove.actions.instances import refuse_unable
from trove.actions.services import Services
from trove.context import Context
from trove.datastores import registry
from trove.datastores.spec import numbers
from trove.db.queries import configurations, datastores, instances, modules
from trove.db.tables import Datastore, DatastoreVersion, Instance
from trove.model import operations
from trove.model.states import Task

TASKS = {operations.UPGRADE: Task.UPGRADING, operations.REBUILD: Task.REBUILDING}


def upgrade(
    services: Services,
    context: Context,
    id: str,
    project: str | None,
    which: str,
    token: Token | None = None,
) -> None:
    """NONE -> UPGRADING; ``which`` is a version of its datastore, by name or id.

    Older ones are refused, and those whose engine takes the data over neither as they
    are nor by a copy of what they say.
    """
    with services.database.reading() as tx:
        row = instances.load(tx, id, project)
        _, present = datastores.version_by_id(tx, row.version_id, inactive=True)
        owner, version = datastores.version(tx, present.datastore_id, which)
    image = services.images.image(version)

    def work(tx: orm.Session) -> tuple[str, str]:
        # in here, where a token that is known is no new request: it has the version now
        carries = _check_version(owner, present, version)
        datastores.hold(tx, version.id)
        row = _held(services, tx, id, project)
        if row.version_id != present.id:
            raise errors.InstanceBusy(instance=id, task="busy")
        _check_company(tx, row, owner, version)
        return _opened(
            tx, context, row, operations.UPGRADE, image, version, token, carries
        )

    begin.begin(services, context, context.project or "", token, work)


def refresh(
    services: Services,
    context: Context,
    id: str,
    which: str | None,
    token: Token | None = None,
) -> None:
    """NONE -> UPGRADING, on the newest image of the version that it has: an image
    brings its agent.

    ``which`` may say which version that is, by name or id; another is refused. One that
    is hidden from users is as good as any, for this instance has it already.
    """
    with services.database.reading() as tx:
        row = instances.load(tx, id)
        _, version = datastores.version_by_id(tx, row.version_id, inactive=True)
    if which not in (None, version.id, version.name):
        raise errors.Invalid(
            f"The instance has the version {version.name}; it gets another by a change "
            "of its datastore_version."
        )
    image = services.images.newest(version)
    server = services.cloud.compute.show(row.server_id) if row.server_id else None

    def work(tx: orm.Session) -> tuple[str, str]:
        datastores.hold(tx, version.id)
        row = _held(services, tx, id, None)
        if row.version_id != version.id:
            raise errors.InstanceBusy(instance=id, task="busy")
        if server is not None and server.image == image:
            raise errors.Invalid(
                f"The instance has the newest image of the version {version.name} "
                f"already ({image})."
            )
        return _opened(tx, context, row, operations.UPGRADE, image, version, token)

    begin.begin(services, context, context.project or "", token, work)


def rebuild(
    services: Services, context: Context, id: str, image: str, token: Token | None
) -> None:
    """NONE -> REBUILDING, on this image, with the same version of the datastore."""
    with services.database.reading() as tx:
        instances.load(tx, id)
    if services.cloud.images.show(image) is None:
        raise errors.Invalid(f"Image {image[:64]} cannot be found.")

    def work(tx: orm.Session) -> tuple[str, str]:
        row = _held(services, tx, id, None)
        _, version = datastores.version_by_id(tx, row.version_id, inactive=True)
        return _opened(tx, context, row, operations.REBUILD, image, version, token)

    begin.begin(services, context, context.project or "", token, work)


def _held(
    services: Services, tx: orm.Session, id: str, project: str | None
) -> Instance:
    """One that can be built anew: its data are on a volume."""
    seen = instances.seen(tx, id, project)
    row = seen.instance
    if row.volume_size is None:
        raise errors.Invalid(
            f"Instance {id} has no volume: its data would be lost with its root disk."
        )
    refuse_unable(services, seen)
    return row


def _opened(
    tx: orm.Session,
    context: Context,
    row: Instance,
    kind: str,
    image: str,
    version: DatastoreVersion,
    token: Token | None,
    carries: bool = False,
) -> tuple[str, str]:
    """It is busy with it from here on."""
    instances.move(tx, row.id, TASKS[kind])
    input = operations.RebuildInstance(
        image, version.number, version.id, carries=carries
    )
    opened = begin.open(tx, context, kind, row.project, row.id, input.to_dict(), token)
    return opened, row.id


def _check_version(
    owner: Datastore, present: DatastoreVersion, version: DatastoreVersion
) -> bool:
    """Whether the data are carried over by a copy; as they are, if not."""
    if version.id == present.id:
        raise errors.Invalid(f"The instance has the version {version.name} already.")
    if version.manager != present.manager:
        raise errors.Invalid(
            f"The version {version.name} is managed otherwise ({version.manager}) than "
            f"{present.name} ({present.manager})."
        )
    before, after = numbers(present.number), numbers(version.number)
    if after < before:
        raise errors.Invalid(
            f"The version {version.name} ({version.number}) is older than "
            f"{present.name} ({present.number}); no engine goes back."
        )
    spec = registry.get(version.manager)
    as_they_are = after[: spec.same] == before[: spec.same]
    if not as_they_are and not spec.carries:
        raise errors.Unsupported(
            f"{owner.name} {version.number} does not take over the data of "
            f"{present.number} as they are; restore a dump of them into a new instance."
        )
    return not as_they_are


def _check_company(
    tx: orm.Session, row: Instance, owner: Datastore, version: DatastoreVersion
) -> None:
    """What the instance has that is of its old version."""
    if row.configuration_id is not None:
        group = configurations.seen(tx, row.configuration_id, None).row
        if group.version_id != version.id:
            raise errors.Invalid(
                f"Configuration group {group.id} is of another version; detach it "
                "first."
            )
    for had in modules.of_instance(tx, row.id, hidden=True):
        if not modules.fits(had.shown.row, owner.id, version.id):
            raise errors.Invalid(
                f"The module {had.shown.row.name} is not for {owner.name} "
                f"{version.name}; take it away first."
            )
