# SPDX-License-Identifier: Apache-2.0
"""Layout: where everything of a one-machine deployment lives, and on which ports.

One directory, one port range and one bridge name make a deployment; two deployments
with other values stand side by side (the tests' own beside a quickstart).
"""

import dataclasses
import ipaddress
import pathlib


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """Paths, ports and addresses, all derived from a few values.

    ``cidr`` is the guests' network: its first address is the host's, on ``bridge``.
    ``tag`` (at most 4 characters) marks containers, interfaces and tables as ours.
    """

    state: pathlib.Path = pathlib.Path("/var/lib/trove")
    cache: pathlib.Path = pathlib.Path("/var/lib/trove/cache")
    tag: str = "trv"
    cidr: str = "10.77.0.0/24"
    ports: int = 18700
    """The first of a hundred TCP ports."""

    # -- network
    @property
    def bridge(self) -> str:
        return f"{self.tag}br0"

    @property
    def host_address(self) -> str:
        """The host's address on the guests' network."""
        return str(next(ipaddress.ip_network(self.cidr).hosts()))

    @property
    def public_cidr(self) -> str:
        """The last quarter of it: public addresses, which this host alone reaches."""
        return str(list(ipaddress.ip_network(self.cidr).subnets(2))[-1])

    # -- ports on loopback, unless said otherwise
    @property
    def api_port(self) -> int:
        """Where trove-api answers."""
        return self.ports + 79

    @property
    def keystone_port(self) -> int:
        return self.ports + 35

    @property
    def cloud_port(self) -> int:
        """Nova, Cinder, Neutron and Glance, by path."""
        return self.ports + 74

    @property
    def object_port(self) -> int:
        """Swift (the bridge's address: guests bring their logs there)."""
        return self.ports + 80

    @property
    def amqp_port(self) -> int:
        """The broker for the control plane (loopback, TLS)."""
        return self.ports + 72

    @property
    def guests_amqp_port(self) -> int:
        """The broker for guests (the bridge's address, TLS)."""
        return self.ports + 71

    @property
    def broker_http_port(self) -> int:
        """The broker's management API (loopback)."""
        return self.ports + 75

    @property
    def epmd_port(self) -> int:
        return self.ports + 69

    @property
    def broker_dist_port(self) -> int:
        return self.ports + 70

    # -- directories below the state directory
    @property
    def etc(self) -> pathlib.Path:
        """Configuration files, keys (0700)."""
        return self.state / "etc"

    @property
    def log(self) -> pathlib.Path:
        return self.state / "log"

    @property
    def run(self) -> pathlib.Path:
        return self.state / "run"

    @property
    def pki(self) -> pathlib.Path:
        """The deployment's CA, and the broker's certificate."""
        return self.state / "pki"

    @property
    def keystone(self) -> pathlib.Path:
        return self.state / "keystone"

    @property
    def rabbitmq(self) -> pathlib.Path:
        return self.state / "rabbitmq"

    @property
    def cloud(self) -> pathlib.Path:
        """The local cloud's own state: servers/, volumes/, cloud.sqlite."""
        return self.state / "cloud"

    @property
    def database(self) -> pathlib.Path:
        """The control plane's SQLite file, when that is what is used."""
        return self.state / "trove.sqlite"

    @property
    def clouds_yaml(self) -> pathlib.Path:
        return self.state / "clouds.yaml"
