# SPDX-License-Identifier: Apache-2.0
"""trove-conductor: receives what guests report until SIGTERM."""

import os
import pathlib
import socket
import sys
import typing

from trove.cmd import daemon

if typing.TYPE_CHECKING:
    from oslo_config import cfg

    from trove.service.process import Part


def main(argv: typing.Sequence[str] | None = None) -> int:
    """The process; its arguments are those of oslo.config."""
    return daemon.run("conductor", parts, argv)


def parts(conf: "cfg.ConfigOpts") -> "list[Part]":
    """What the process runs, in the order in which it starts.

    It imports what it needs when it is called: nothing of it may be loaded before the
    patching in ``daemon.run``.
    """
    from trove.conductor.curb import EVERY, Curb
    from trove.conductor.manager import Manager
    from trove.conductor.reports import Reports
    from trove.config import database, rpc
    from trove.context import Context
    from trove.db.session import Database
    from trove.db.types import use_keys
    from trove.rpc import transport
    from trove.rpc.broker import Broker
    from trove.rpc.conductor import Conductor
    from trove.rpc.interface import Proxy
    from trove.rpc.taskmanager import TaskManager
    from trove.service.bell import Bell
    from trove.service.certificates import Authority
    from trove.service.periodic import Periodic

    use_keys(conf.database.seal_keys)
    control, guests = transport.control(conf), transport.guests(conf)
    bell = Bell(Proxy(TaskManager, control, Context()).run)
    store = Database(**database.arguments(conf))
    points = None
    if crash := os.environ.get("TROVE_CRASH"):  # a test wants this process to die
        from trove.service.crashpoints import Points

        points = Points(crash, "conductor")
        store = points.database(store)
    reports = Reports(store, bell, conf.conductor.flush_interval)
    manager = Manager(
        store,
        Broker(**rpc.of_broker(conf)),
        Authority.load(pathlib.Path(conf.conductor.authority)),
        bell,
        reports,
        certificate_days=conf.conductor.certificate_days,
    )
    if points is not None:
        manager = points.of(manager, "conductor", inside=True)
    server = transport.server(guests, Conductor, manager, socket.gethostname())
    # A requests session is one thread's: the curb has its own.
    curb = Curb(store, Broker(**rpc.of_broker(conf)))
    part = Periodic("curb", curb.round, EVERY)
    return [reports, part, daemon.mender(conf), server]


if __name__ == "__main__":
    sys.exit(main())
