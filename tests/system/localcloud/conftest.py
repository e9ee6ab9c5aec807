# SPDX-License-Identifier: Apache-2.0
"""One local cloud for the folder; every test ends with nothing of its own left."""

import os
import pathlib
import tempfile

import pytest

from tests.keystone import keystone_venv
from tests.system.localcloud.machine import Clients, Machine, until


@pytest.fixture(scope="session")
def machine():
    if os.geteuid() != 0:
        pytest.skip("needs root: containers and loop devices are made")
    if keystone_venv() is None:
        pytest.skip("needs a Keystone: bin/run-tests system makes one")
    # Not below pytest's own directories: the last three of those are kept.
    with tempfile.TemporaryDirectory(prefix="localcloud-", dir="/var/tmp") as state:
        machine = Machine(pathlib.Path(state))
        try:
            machine.up()
            yield machine
        finally:
            machine.close()


@pytest.fixture(scope="session")
def service(machine):
    """The clients of the service's own user."""
    return Clients(machine.place, "trove", "service")


@pytest.fixture
def things(machine, service):
    """Makes things, and takes them away in the order in which they can go."""
    made = Things(service)
    yield made
    made.remove()


class Things:
    def __init__(self, clients):
        self.clients = clients
        self._servers, self._ports, self._groups, self._volumes = [], [], [], []

    def group(self, *rules):
        sdk = self.clients.sdk.network
        group = sdk.create_security_group(name="test")
        self._groups.append(group.id)
        for rule in group.security_group_rules:
            sdk.delete_security_group_rule(rule["id"])
        for direction, port, cidr in rules:
            sdk.create_security_group_rule(
                security_group_id=group.id,
                direction=direction,
                ethertype="IPv4",
                protocol="tcp",
                port_range_min=port,
                port_range_max=port,
                remote_ip_prefix=cidr,
            )
        return group.id

    def port(self, *groups):
        sdk = self.clients.sdk.network
        network = next(sdk.networks(name="trove"))
        port = sdk.create_port(network_id=network.id, security_groups=list(groups))
        self._ports.append(port.id)
        return port

    def volume(self, size=1, **values):
        cinder = self.clients.cinder
        volume = cinder.volumes.create(size, **values)
        self._volumes.append(volume.id)
        until(lambda: cinder.volumes.get(volume.id).status == "available")
        return volume.id

    def order(self, name="guest", ports=(), volume=None, flavor="1", **values):
        """A server asked for, and not waited for."""
        image = next(self.clients.sdk.image.images(tag=["trove", "mariadb"]))
        if volume is not None:
            values["block_device_mapping_v2"] = [
                {
                    "uuid": volume,
                    "source_type": "volume",
                    "destination_type": "volume",
                    "boot_index": -1,
                    "delete_on_termination": False,
                }
            ]
        nics = [{"port-id": port.id} for port in ports] or "none"
        nova = self.clients.nova
        server = nova.servers.create(name, image.id, flavor, nics=nics, **values)
        self._servers.append(server.id)
        return server.id

    def server(self, *args, **values):
        """A server that is active."""
        id = self.order(*args, **values)
        self.becomes(id, "ACTIVE")
        return id

    def becomes(self, id, status, within=60):
        def there():
            server = self.clients.nova.servers.get(id)
            assert server.status in (status, "BUILD") or status != "ACTIVE", (
                server.to_dict()
            )
            return server if server.status == status else None

        return until(there, within)

    def gone(self, id, within=60):
        nova = self.clients.nova
        until(lambda: id not in {server.id for server in nova.servers.list()}, within)

    def remove(self):
        nova, cinder = self.clients.nova, self.clients.cinder
        alive = {server.id for server in nova.servers.list()}
        for id in alive & set(self._servers):
            nova.servers.delete(id)
        for id in self._servers:
            self.gone(id)
        sdk = self.clients.sdk.network
        for id in self._ports:
            sdk.delete_port(id, ignore_missing=True)
        for id in self._groups:
            sdk.delete_security_group(id, ignore_missing=True)
        left = set(self._volumes)
        there = {volume.id for volume in cinder.volumes.list()} & left
        for id in there:
            cinder.volumes.delete(id)
        until(lambda: not {v.id for v in cinder.volumes.list()} & left)
