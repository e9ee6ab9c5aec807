# SPDX-License-Identifier: Apache-2.0
"""What a guest is born with: its id, the broker, a credential that works once.

The text is a cloud-config document (JSON is YAML), so cloud-init writes the files where
there is one, and the agent itself where there is none. Nothing in it outlives the first
contact: the broker's password is exchanged then (messaging.md).
"""

import configparser
import dataclasses
import io
import json

from trove.flows.context import Settings
from trove.model import naming

CONFIG = "/etc/trove/guest.conf"
CA = "/etc/trove/broker-ca.pem"


@dataclasses.dataclass(frozen=True, slots=True)
class Virtual:
    """Addresses that a guest has beside its card's own; ``card`` is that card's MAC."""

    card: str
    addresses: tuple[str, ...]


def render(
    settings: Settings,
    instance: str,
    datastore: str,
    password: str,
    virtual: Virtual | None = None,
    several: bool = False,
) -> str:
    """The user data of an instance's server; ``several``: it is on more networks than
    one, and each answer has to leave by its own."""
    files = [
        {
            "path": CONFIG,
            "permissions": "0600",
            "content": _config(
                settings, instance, datastore, password, virtual, several
            ),
        },
        {"path": CA, "permissions": "0644", "content": settings.broker_ca},
    ]
    return "#cloud-config\n" + json.dumps({"write_files": files})


def _config(
    settings: Settings,
    instance: str,
    datastore: str,
    password: str,
    virtual: Virtual | None,
    several: bool,
) -> str:
    parser = configparser.ConfigParser(interpolation=None)
    parser["guest"] = {
        "instance": instance,
        "datastore": datastore,
        "heartbeat_interval": str(settings.heartbeat_interval),
    }
    if settings.commands_key:
        parser["guest"]["commands_key"] = settings.commands_key
    if several:
        parser["guest"]["several_networks"] = "true"
    if virtual:
        parser["guest"]["virtual_addresses"] = ",".join(virtual.addresses)
        parser["guest"]["card"] = virtual.card
    parser["broker"] = {
        "hosts": ",".join(f"{address}:{port}" for address, port in settings.brokers),
        "vhost": settings.guests_vhost,
        "user": naming.guest_user(instance),
        "password": password,
        "ca_file": CA,
    }
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()
