# SPDX-License-Identifier: Apache-2.0
"""A daemon of the control plane: patch, configure, run its parts until SIGTERM."""

import sys
import typing

from trove.service import concurrency

if typing.TYPE_CHECKING:
    from oslo_config import cfg

    from trove.service.process import Part


def run(
    process: str,
    parts: "typing.Callable[[cfg.ConfigOpts], list[Part]]",
    argv: typing.Sequence[str] | None,
) -> int:
    """``trove-<process>``: its exit code. Its arguments are those of oslo.config."""
    argv = sys.argv[1:] if argv is None else argv
    name = f"trove-{process}"
    concurrency.prepare(argv, name)
    # Loaded here: nothing of this may be imported before the patching above.
    from trove import config
    from trove.service import loglines
    from trove.service.process import Process

    loglines.be_plain()
    conf = config.parse(process, argv)
    return Process(
        name,
        parts(conf),
        drain=conf.drain_time,
        ready_file=conf.ready_file,
        reload=conf.mutate_config_files,
    ).run()


def mender(conf: "cfg.ConfigOpts") -> "Part":
    """Looks at the queues of guests that are waited for in vain."""
    from trove.config import rpc
    from trove.rpc import leaderless
    from trove.rpc.broker import Broker
    from trove.service.periodic import Periodic

    # A requests session is one thread's: it has its own.
    made = leaderless.Mender(Broker(**rpc.of_broker(conf)))
    return Periodic("queues", made.round, leaderless.EVERY)
