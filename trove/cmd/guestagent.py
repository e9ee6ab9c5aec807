# SPDX-License-Identifier: Apache-2.0
"""trove-guestagent: finds its configuration, makes the agent, runs it until SIGTERM.

``trove-guestagent rules DATASTORE`` runs none: guestagent/rules.py.
"""

import logging
import os
import sys
import typing

from trove import config
from trove.guestagent import seed
from trove.guestagent.disks import Disks
from trove.guestagent.host import Host
from trove.guestagent.places import Places
from trove.service import threads

LOG = logging.getLogger(__name__)

HEAVY = ("eventlet", "cryptography", "requests", "jsonschema")
"""Libraries that others load when they find them, and this process does not need."""

LEVELS = ("oslo", "oslo_service", "amqp", "kombu", "trove.rpc.interface")


def stay_small() -> None:
    """Keeps out of this process what would double it, though it be installed."""
    for name in HEAVY:
        sys.modules.setdefault(name, typing.cast(typing.Any, None))
    threads.prepare()


def configure(places: Places, host: Host) -> typing.Any:
    """The configuration, from wherever the cloud left it."""
    from oslo_config import cfg

    seed.find(places, host, Disks(host))
    config.register(cfg.CONF, "guest", "broker")
    cfg.CONF(
        [],
        project="trove",
        default_config_files=[str(places.conf)],
        default_config_dirs=[],
    )
    for name in ("instance", "datastore"):
        if not cfg.CONF.guest[name]:
            raise seed.SeedError(why=f"[guest] {name} is not set")
    return cfg.CONF


def start_logging() -> None:
    """To the journal: it puts the time and the process to each line itself."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(levelname)s %(name)s %(message)s",
    )
    for name in LEVELS:
        logging.getLogger(name).setLevel(logging.WARNING)


def main(places: Places | None = None) -> int:
    """The process."""
    os.umask(0o077)
    start_logging()
    stay_small()
    if places is None and sys.argv[1:2] == ["rules"]:
        from trove.guestagent import rules

        return rules.main(sys.argv[2:], Host())
    from trove.datastores import registry
    from trove.guestagent.agent import Agent, Contact
    from trove.guestagent.state import Guest
    from trove.service.process import Process

    places, host = places or Places(), Host()
    conf = configure(places, host)
    datastore = registry.get(conf.guest.datastore)
    agent = Agent(
        places,
        host,
        Guest(
            instance=conf.guest.instance,
            datastore=datastore.name,
            agent=datastore.agent,
            data=datastore.data,
            user=datastore.user,
        ),
        Contact(
            hosts=tuple(conf.broker.hosts),
            vhost=conf.broker.vhost,
            user=conf.broker.user,
            ca_file=conf.broker.ca_file,
            bootstrap=conf.broker.password or "",
        ),
        conf,
        heartbeat_interval=conf.guest.heartbeat_interval,
    )
    return Process("trove-guestagent", agent.parts, drain=20.0).run()


if __name__ == "__main__":
    sys.exit(main())
