# SPDX-License-Identifier: Apache-2.0
"""trove-taskmanager: patch, configure, carry operations until SIGTERM."""

import os
import pathlib
import socket
import sys
import time
import typing
import uuid

from trove.service import concurrency

if typing.TYPE_CHECKING:
    from oslo_config import cfg

    from trove.service.process import Part


def main(argv: typing.Sequence[str] | None = None) -> int:
    """The process; its arguments are those of oslo.config."""
    argv = sys.argv[1:] if argv is None else argv
    concurrency.prepare(argv, "trove-taskmanager")
    return _run(argv)


def _run(argv: typing.Sequence[str]) -> int:
    # Loaded here: nothing of this may be imported before the patching above.
    from trove import config
    from trove.service.process import Process

    conf = config.parse("taskmanager", argv)
    return Process(
        "trove-taskmanager",
        parts(conf),
        drain=conf.drain_time,
        ready_file=conf.ready_file,
        reload=conf.mutate_config_files,
    ).run()


def parts(conf: "cfg.ConfigOpts") -> "list[Part]":
    """What the process runs, in the order in which it starts."""
    from oslo_utils import importutils

    from trove.cloud import registry
    from trove.config import cloud, database, rpc, taskmanager
    from trove.db.session import Database
    from trove.db.types import use_keys
    from trove.flows import FLOWS
    from trove.flows.context import Settings, StepContext, Surroundings, passing
    from trove.rpc import transport
    from trove.rpc.broker import Broker
    from trove.rpc.guest import Guest
    from trove.rpc.interface import Proxy
    from trove.rpc.taskmanager import TaskManager
    from trove.service.periodic import Periodic
    from trove.taskmanager.reaper import Reaper
    from trove.taskmanager.worker import Worker
    from trove.workflow.claims import Claims
    from trove.workflow.engine import Engine

    use_keys(conf.database.seal_keys)
    control, guests = transport.control(conf), transport.guests(conf)
    store = Database(**database.arguments(conf))
    users = Broker(**rpc.of_broker(conf))
    around = Surroundings(
        store,
        registry.connect(**cloud.arguments(conf)),
        users,
        lambda instance, context: Proxy(Guest, guests, context, server=instance),
        Settings(
            **taskmanager.of_flows(conf),
            guests_vhost=rpc.guests_vhost(conf),
            broker_ca=pathlib.Path(conf.rpc.ca_file).read_text(),
        ),
    )
    claims = Claims(
        store, owner_name(), lease=conf.taskmanager.lease, clock=time.monotonic
    )
    engine = Engine(claims, FLOWS, lambda claim: StepContext(claim, around), passing)
    worker = Worker(
        claims,
        engine,
        threads=conf.taskmanager.workers,
        poll=conf.taskmanager.poll_interval,
    )
    manager = importutils.import_class(conf.taskmanager_manager)(worker)
    reaper = Reaper(store, around.cloud, users)
    return [
        worker,
        Periodic("reaper", reaper.reap, conf.taskmanager.reaper_interval),
        transport.server(control, TaskManager, manager, socket.gethostname()),
    ]


def owner_name() -> str:
    """Who holds a lease: unique, also after a restart, and telling to an operator."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


if __name__ == "__main__":
    sys.exit(main())
