# SPDX-License-Identifier: Apache-2.0
"""What the whole of one machine needs beside the cloud's own needs (``preflight``)."""

import pathlib
import pwd

from trove.localcloud import preflight, programs
from trove.localcloud.layout import Layout

MEMORY = 2 << 30
MEMINFO = pathlib.Path("/proc/meminfo")
BROKER = pathlib.Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


def refusals(place: Layout, host: programs.Runner) -> list[str]:
    """Why nothing can be started here, a sentence each; empty when it can."""
    found = preflight.refusals(place, host, ports=ports(place))
    return [*found, *_broker(), *_memory(), *_state(place)]


def ports(place: Layout) -> tuple[int, ...]:
    """Every port on loopback."""
    return (
        place.api_port,
        place.keystone_port,
        place.cloud_port,
        place.amqp_port,
        place.broker_http_port,
        place.broker_dist_port,
        place.epmd_port,
    )


def _broker() -> list[str]:
    if not BROKER.exists():
        return ["RabbitMQ is not installed (Debian package rabbitmq-server)."]
    try:
        pwd.getpwnam("rabbitmq")
    except KeyError:
        return ["There is no user rabbitmq, which the package makes."]
    return []


def _memory() -> list[str]:
    """The services take a gigabyte, each guest about a quarter of one."""
    for line in MEMINFO.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) << 10
            if free < MEMORY:
                return [f"Only {free >> 20} MiB of memory are free; 2048 are needed."]
    return []


def _state(place: Layout) -> list[str]:
    """A directory that is somebody else's is left alone."""
    known = (place.etc / "trove.conf", place.keystone, place.cache)
    if not place.state.exists() or any(path.exists() for path in known):
        return []
    if any(place.state.iterdir()):
        return [f"{place.state} is not empty and not ours; choose another --state-dir."]
    return []
