# SPDX-License-Identifier: Apache-2.0
"""trove-taskmanager: carries operations until SIGTERM."""

import dataclasses
import os
import pathlib
import socket
import sys
import time
import typing
import uuid

from trove.cmd import daemon

if typing.TYPE_CHECKING:
    from oslo_config import cfg

    from trove.db.session import Database
    from trove.flows.context import Surroundings
    from trove.service.crashpoints import Points
    from trove.service.process import Part


def main(argv: typing.Sequence[str] | None = None) -> int:
    """The process; its arguments are those of oslo.config."""
    return daemon.run("taskmanager", parts, argv)


def parts(conf: "cfg.ConfigOpts") -> "list[Part]":
    """What the process runs, in the order in which it starts."""
    # imported here: nothing of this may be loaded before the patching in daemon.run
    from oslo_utils import importutils

    from trove.config import database
    from trove.db.session import Database
    from trove.db.types import use_keys
    from trove.flows import FLOWS
    from trove.flows.context import StepContext, passing
    from trove.rpc import transport
    from trove.rpc.taskmanager import TaskManager
    from trove.taskmanager.worker import Worker
    from trove.workflow.claims import Claims
    from trove.workflow.engine import Engine

    use_keys(conf.database.seal_keys)
    group = conf.taskmanager
    store = Database(**database.arguments(conf))
    around, flows, points = surroundings(conf, store), FLOWS, None
    if crash := os.environ.get("TROVE_CRASH"):  # a test wants this process to die
        from trove.service.crashpoints import Points

        points = Points(crash, "taskmanager")
        around, flows = armed(around, points), points.steps(flows)
    claims = Claims(
        around.database, owner_name(), lease=group.lease, clock=time.monotonic
    )
    engine = Engine(claims, flows, lambda claim: StepContext(claim, around), passing)
    if points is not None:
        engine = points.of(engine, "engine", inside=True)
    worker = Worker(claims, engine, threads=group.workers, poll=group.poll_interval)
    kind = importutils.import_class(conf.taskmanager_manager)
    manager = kind(worker, around.guests)
    control = transport.control(conf)
    bell = transport.server(control, TaskManager, manager, socket.gethostname())
    return [
        worker,
        *ears(conf, store, worker.ring),
        *rounds(conf, store, around, worker.ring),
        *schedules(conf, store, around, worker.ring),
        *archives(conf, around),
        daemon.mender(conf),
        bell,
    ]


def ears(
    conf: "cfg.ConfigOpts",
    store: "Database",
    ring: "typing.Callable[[str], object]",
) -> "list[Part]":
    """What hears the cloud, where the operator says that it speaks."""
    group = conf.cloud
    if not group.notifications_url:
        return []
    from trove.rpc.cloudnotices import CloudNotices
    from trove.taskmanager.wakeups import Wakeups

    return [
        CloudNotices(
            conf,
            group.notifications_url,
            group.deployment,
            group.notification_exchanges,
            group.notification_topics,
            Wakeups(store, ring).heard,
        )
    ]


def rounds(
    conf: "cfg.ConfigOpts",
    store: "Database",
    around: "Surroundings",
    ring: "typing.Callable[[str], object]",
) -> "list[Part]":
    """What is done again and again, whoever asks for it."""
    from trove.rpc.notices import Notices
    from trove.service.periodic import Periodic
    from trove.taskmanager.housekeeping import Housekeeping
    from trove.taskmanager.lending import Lending
    from trove.taskmanager.outbox import Outbox
    from trove.taskmanager.reaper import Reaper
    from trove.taskmanager.recycling import Recycling

    group = conf.taskmanager
    reaper = Reaper(store, around.cloud, around.users)
    lending = Lending(store, around.cloud)
    house = Housekeeping(
        store,
        silent_after=group.guest_silence,
        keep=group.keep_operations,
        warn=group.certificate_warnings,
    )
    recycling = Recycling(store, ring)
    notices = Notices(conf, f"taskmanager.{socket.gethostname()}")
    made: list[Part] = [
        Periodic("reaper", reaper.reap, group.reaper_interval),
        Periodic("lending", lending.round, group.reaper_interval),
        Periodic("housekeeping", house.round, group.housekeeping_interval),
        Periodic("recycling", recycling.round, group.housekeeping_interval),
    ]
    if notices.wanted:  # else a timer would ring for nobody
        outbox = Outbox(store, notices)
        made.append(Periodic("outbox", outbox.round, group.outbox_interval))
    return made


def schedules(
    conf: "cfg.ConfigOpts",
    store: "Database",
    around: "Surroundings",
    ring: "typing.Callable[[str], None]",
) -> "list[Part]":
    """What makes backups, looks whether they restore, and takes them away."""
    from trove.actions.services import Services, Settings
    from trove.config import quota
    from trove.service.periodic import Periodic
    from trove.taskmanager.schedules import Schedules
    from trove.taskmanager.verifications import Verifications

    group = conf.backup
    if not group.driver:  # no policy can have been enabled
        return []
    settings = Settings(
        heartbeat_expiry=float(conf.taskmanager.guest_silence),
        quotas=quota.defaults(conf),
        backup_driver=group.driver,
        backup_container=group.container,
        verify_at_once=group.verify_at_once,
    )
    services = Services(store, around.cloud, ring, settings)
    made, verified = Schedules(services), Verifications(services)
    return [
        Periodic("schedules", made.round, group.schedule_interval),
        Periodic("retention", made.retain, group.retention_interval),
        Periodic("verifications", verified.round, group.schedule_interval),
    ]


def archives(conf: "cfg.ConfigOpts", around: "Surroundings") -> "list[Part]":
    """What counts the transaction logs that guests bring, and takes old ones away."""
    from trove.service.periodic import Periodic
    from trove.taskmanager.archives import Archives
    from trove.taskmanager.cutting import Cutting

    group = conf.backup
    if around.storage is None:  # no policy can have been enabled
        return []
    every = group.ship_interval
    made = Archives(around, around.storage, group.container, every)
    cutting = Cutting(around.database, around.storage)
    return [
        Periodic("archives", made.round, group.archive_interval),
        Periodic("cutting", cutting.round, group.retention_interval),
    ]


def surroundings(conf: "cfg.ConfigOpts", store: "Database") -> "Surroundings":
    """What steps act on: the cloud, the broker's users, the guests."""
    from trove.cloud import registry
    from trove.cmd import backupstorage
    from trove.config import backup, cloud, rpc, taskmanager
    from trove.flows.context import HEARD, LATEST, Settings, Surroundings
    from trove.rpc import transport
    from trove.rpc.broker import Broker
    from trove.rpc.guest import Guest
    from trove.rpc.interface import Proxy
    from trove.rpc.signing import Signer
    from trove.storage.lent import Lent
    from trove.storage.vault import authorities

    verify = False if conf.cloud.insecure else conf.cloud.cafile or True
    guests, key = transport.guests(conf), conf.taskmanager.signing_key
    signer = Signer.load(pathlib.Path(key)) if key else None
    return Surroundings(
        store,
        registry.connect(**cloud.arguments(conf)),
        Broker(**rpc.of_broker(conf)),
        lambda instance, context: Proxy(
            Guest, guests, context, server=instance, signer=signer
        ),
        Settings(
            **taskmanager.of_flows(conf),
            look=HEARD if conf.cloud.notifications_url else LATEST,
            guests_vhost=rpc.guests_vhost(conf),
            broker_ca=pathlib.Path(conf.rpc.ca_file).read_text(),
            commands_key=signer.public if signer else None,
            freeze=conf.backup.freeze,
            backup_pace=conf.backup.rate << 20 or None,
            rows_within=float(conf.backup.rows_within),
            store_authorities=authorities.told(*backup.authorities(conf)),
        ),
        backupstorage.opened(conf, store),
        lambda place, before: Lent(place, before, verify),
    )


def armed(around: "Surroundings", points: "Points") -> "Surroundings":
    """The same; every transaction and every outside call is a point to die at."""
    guests = around.guests
    return dataclasses.replace(
        around,
        database=points.database(around.database),
        cloud=points.of(around.cloud, ""),
        users=points.of(around.users, "users"),
        storage=points.of(around.storage, "storage") if around.storage else None,
        guests=lambda instance, context: points.of(guests(instance, context), "guest"),
    )


def owner_name() -> str:
    """Who holds a lease: unique, also after a restart, and telling to an operator."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


if __name__ == "__main__":
    sys.exit(main())
