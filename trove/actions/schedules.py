# SPDX-License-Identifier: Apache-2.0
"""Schedules: when backups of an instance are made by themselves, by its user's word."""

import random
import typing

from sqlalchemy import orm

from trove import errors
from trove.actions import archives
from trove.actions.services import Services
from trove.context import Context
from trove.datastores import registry
from trove.datastores.spec import Datastore
from trove.db.queries import instances, schedules
from trove.db.queries.instances import Seen, Version
from trove.db.queries.verifications import untried
from trove.db.session import now
from trove.db.tables import BackupPolicy, DatastoreVersion
from trove.model import schedules as model
from trove.model import verifications
from trove.model.schedules import Plan
from trove.workflow import journal

Wish = dict[str, typing.Any]
"""Columns of a policy, as far as its user says them."""

MINUTES = 24 * 60


class Kind(typing.NamedTuple):
    """A datastore, and which version of it."""

    spec: Datastore
    version: str

    @classmethod
    def of(cls, version: Version | DatastoreVersion) -> "Kind":
        """That of a version."""
        return cls(registry.get(version.manager), version.number)

    @property
    def chained(self) -> bool:
        """Whether it has increments."""
        return self.spec.chains(self.version)


class Shown(typing.NamedTuple):
    """A policy, and why not all of it is done that it asks for, if that is known."""

    row: BackupPolicy
    message: str | None


def show(services: Services, id: str, project: str | None) -> Shown:
    """That of an instance; where it has none, one that is off."""
    with services.database.reading() as tx:
        seen = instances.seen(tx, id, project)
        kind = _able(seen)
        row = schedules.get(tx, id) or BackupPolicy(
            instance_id=id, enabled=False, **_defaults(services, kind)
        )
        return Shown(row, _undone(tx, row) if row.enabled else None)


def _undone(tx: orm.Session, row: BackupPolicy) -> str | None:
    """Of the log, and of verifications: an agent may be older than these."""
    said: list[str] = []
    if row.point_in_time and archives.unheard(tx, row.instance_id):
        said.append(archives.TOO_OLD)
    if row.verify != verifications.NEVER:
        fault = untried(tx, row.instance_id)
        if fault is not None:
            said.append(f"The last backup that was chosen was not verified: {fault}")
    return " ".join(said) or None


def put(
    services: Services, context: Context, id: str, project: str | None, wish: Wish
) -> Shown:
    """What is not said stays, or is as for a new instance."""

    def work(tx: orm.Session) -> None:
        seen = instances.seen(tx, id, project)
        write(services, tx, seen.instance.project, id, _able(seen), wish)
        about = {"user": context.user, **wish}
        journal.event(tx, id, "instance.backup_policy", about, context.request_id)

    services.database.run(work)
    return show(services, id, project)


def _able(seen: Seen) -> Kind:
    kind = Kind.of(typing.cast(Version, seen.version))
    refuse_unable(kind.spec)
    return kind


def refuse_unable(spec: Datastore) -> None:
    """Raises for a datastore of which there are no backups."""
    if not spec.can.back_up:
        raise errors.NotSupported(datastore=spec.name, what="backups")


def born(
    services: Services,
    tx: orm.Session,
    project: str,
    id: str,
    version: DatastoreVersion,
    wish: Wish | None,
) -> None:
    """The policy of a new instance, if it has one. ``wish`` None: nobody said."""
    kind = Kind.of(version)
    settings = services.settings
    if wish is None:
        if not (settings.schedule_by_default and settings.backup_driver):
            return
        if not kind.spec.can.back_up:
            return
    elif wish == {"enabled": False}:
        return
    else:
        refuse_unable(kind.spec)
    write(services, tx, project, id, kind, wish or {})


def write(
    services: Services,
    tx: orm.Session,
    project: str,
    id: str,
    kind: Kind,
    wish: Wish,
) -> None:
    """It is so from now on; when it is due next follows from it."""
    spec = kind.spec
    if wish.get("increment_every") is not None and not kind.chained:
        which = f"{spec.name} {kind.version}" if spec.increments_since else spec.name
        raise errors.Invalid(
            f"There are no increments of {which}: increment_every_hours must be "
            "null, or be left out."
        )
    if wish.get("point_in_time") and not spec.can.restore_to_time:
        raise errors.Invalid(
            f"There is no point in time of {spec.name}: point_in_time must be false, "
            "or be left out."
        )
    if wish.get("verify_rows") and not spec.can.hash_rows:
        raise errors.Invalid(
            f"There are no hashes of the rows of {spec.name}: verify_rows must be "
            "false, or be left out."
        )
    held = schedules.hold(tx, id)
    said = _defaults(services, kind) | {
        # any minute is as good, but not the same one for all
        "minute": random.randrange(MINUTES),  # noqa: S311 - no secret
        "enabled": True,
    }
    if held is not None:
        said = {name: getattr(held, name) for name in said}
    said |= wish
    if said["enabled"] and services.settings.backup_driver is None:
        raise errors.Unsupported(
            "Backups are not set up here: the operator has named no store for them."
        )
    plan = Plan(
        *(said[x] for x in ("minute", "full_every", "increment_every", "keep_days"))
    )
    said["next_due"] = model.following(plan, schedules.made(tx, id), now(tx))
    schedules.put(tx, id, project=project, **said)


def _defaults(services: Services, kind: Kind) -> Wish:
    return {
        "full_every": model.FULL_EVERY,
        "increment_every": model.INCREMENT_EVERY if kind.chained else None,
        "keep_days": model.KEEP_DAYS,
        "verify": services.settings.verify_by_default,
        "verify_rows": False,
        "point_in_time": kind.spec.can.restore_to_time,
    }
