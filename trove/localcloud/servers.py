# SPDX-License-Identifier: Apache-2.0
"""Servers and volumes made so: the deeds that bring the machine to what the rows say.

Every deed looks first and may be done twice: after a crash it is simply done again.
"""

import base64
import ipaddress
import json
import logging
import pathlib
import typing

from trove import errors
from trove.localcloud import (
    addressing,
    containers,
    disks,
    firewall,
    machines,
    things,
    wires,
)
from trove.localcloud import store as stores

LOG = logging.getLogger(__name__)

SEED = "/var/lib/cloud/seed/config_drive/openstack/latest"
SHUTDOWN = 60
"""Seconds that a guest has to stop in order before it is killed."""


class Workshop:
    """The host's side of the local cloud: what the keeper works with."""

    def __init__(
        self,
        tag: str,
        store: stores.Store,
        machines: machines.Machines,
        disks: disks.Disks,
        wires: wires.Wires,
    ) -> None:
        self.tag = tag
        self.store = store
        self.machines = machines
        self.disks = disks
        self.wires = wires

    # -- the network -----------------------------------------------------------------

    def guard(self) -> None:
        """The firewall says what the rows say."""
        with self.store.transaction() as tx:
            self.wires.guard(addressing.wires(tx, self.tag), addressing.doors(tx))

    # -- servers ---------------------------------------------------------------------

    def build(self, server: things.Server) -> None:
        """The machine exists and runs."""
        if server.root:
            self.disks.create(server.root, self._of(things.Volume, server.root).size)
        files = self._first_files(server)
        self.machines.prepare(server.id, files, server.generation)
        self.boot(server)

    def rebuild(self, server: things.Server) -> None:
        """The machine runs with a root that is new; done twice, it is new once."""
        if not self.machines.prepared(server.id, server.generation):
            self.halt(server)
        self.build(server)

    def boot(self, server: things.Server) -> None:
        """The machine runs with its ports, its volumes and its size."""
        if self.machines.running(server.id):
            return
        self.guard()
        self.machines.configure(self._container(server))
        self.machines.start(server.id)

    def halt(self, server: things.Server, hard: bool = False) -> None:
        """The machine is off; its volumes keep their devices."""
        if hard:
            self.machines.kill(server.id)
        else:
            self.machines.stop(server.id, SHUTDOWN)

    def reboot(self, server: things.Server, hard: bool = False) -> None:
        """The machine was off, and runs again."""
        self.halt(server, hard)
        self.boot(server)

    def resize(self, server: things.Server) -> None:
        """The machine has the size of its flavor; one that runs is off meanwhile.

        It could be resized as it runs. Nova's cannot, and what uses it must bear that.
        """
        self.halt(server)
        self.machines.configure(self._container(server))
        if server.wanted == "running":
            self.boot(server)

    def clear(self, server: things.Server) -> None:
        """The machine is gone, its volumes are free and its ports are nobody's."""
        self.machines.remove(server.id)
        for attachment in self.attachments(server.id):
            self.disks.release(attachment.id)
        with self.store.transaction() as tx:
            for attachment in tx.all(things.Attachment):
                if attachment.server == server.id:
                    _let_go(tx, attachment)
            for port in tx.all(things.Port):
                if port.server == server.id:
                    _unbind(tx, port)
        self.guard()

    # -- volumes -----------------------------------------------------------------------

    def attachments(self, server: str) -> list[things.Attachment]:
        """The volumes of a server, in the order of their names inside."""
        with self.store.transaction() as tx:
            every = tx.all(things.Attachment)
        mine = [attachment for attachment in every if attachment.server == server]
        return sorted(mine, key=lambda attachment: attachment.node)

    def plug(self, attachment: things.Attachment) -> None:
        """A running server sees the volume."""
        if self.machines.running(attachment.server):
            self.machines.plug(attachment.server, self._disk(attachment))

    def unplug(self, attachment: things.Attachment) -> None:
        """A server sees the volume no more, and nobody holds its device."""
        device = self.disks.device(attachment.id)
        if device and self.machines.running(attachment.server):
            # Asked first: a device that is mounted must keep its node and permission.
            if not self.disks.unused(device):
                raise disks.DiskBusy(volume=attachment.id)
            self.machines.unplug(attachment.server, self._disk(attachment))
        self.disks.release(attachment.id)

    # -- what a machine is made of ---------------------------------------------------

    def _of(self, kind: type[stores.T], id: str) -> stores.T:
        with self.store.transaction() as tx:
            found = tx.get(kind, id)
        if found is None:
            raise errors.NotFound(what=kind.__name__, id=id)
        return found

    def _disk(self, attachment: things.Attachment) -> containers.Disk:
        device = self.disks.bring(attachment.id)
        return containers.Disk(
            volume=attachment.id, node=attachment.node, number=disks.number(device)
        )

    def _container(self, server: things.Server) -> containers.Container:
        flavor = self._of(things.Flavor, server.flavor)
        attached = [
            attachment
            for attachment in self.attachments(server.id)
            if attachment.state != "detaching"
        ]
        return containers.Container(
            name=self.machines.name(server.id),
            hostname=hostname(server.name),
            directory=self.machines.home(server.id),
            layers=tuple(pathlib.Path(layer) for layer in server.layers),
            memory=flavor.ram,
            vcpus=flavor.vcpus,
            nics=tuple(self._nics(server.id)),
            disks=tuple(self._disk(attachment) for attachment in attached),
        )

    def _nics(self, server: str) -> typing.Iterator[containers.Nic]:
        with self.store.transaction() as tx:
            ports = [port for port in tx.all(things.Port) if port.server == server]
        for number, port in enumerate(ports):
            subnet = self._of(things.Subnet, port.subnet)
            width = ipaddress.ip_network(subnet.cidr).prefixlen
            yield containers.Nic(
                interface=firewall.interface(self.tag, port.id),
                bridge=self._of(things.Network, port.network).bridge,
                mac=port.mac,
                address=f"{port.address}/{width}",
                gateway=subnet.gateway if number == 0 else None,
            )

    def _first_files(self, server: things.Server) -> list[machines.File]:
        name = hostname(server.name)
        told = {
            "uuid": server.id,
            "name": server.name,
            "hostname": name,
            "availability_zone": server.zone,
            "project_id": server.project,
            "meta": server.metadata,
        }
        files = [
            machines.File("/etc/hostname", f"{name}\n"),
            machines.File("/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {name}\n"),
            machines.File(f"{SEED}/meta_data.json", json.dumps(told), 0o600),
        ]
        if server.user_data is not None:
            text = base64.b64decode(server.user_data).decode("utf-8", "replace")
            files.append(machines.File(f"{SEED}/user_data", text, 0o600))
        return files


def hostname(name: str) -> str:
    """A server's name as a host's: letters, digits and hyphens."""
    kept = "".join(
        letter if letter.isascii() and letter.isalnum() else "-" for letter in name
    )
    return kept.strip("-").lower()[:63].strip("-") or "server"


def _let_go(tx: stores.Transaction, attachment: things.Attachment) -> None:
    """The volume is free, or goes with its server."""
    tx.drop(attachment)
    if volume := tx.get(things.Volume, attachment.id):
        goes = attachment.delete_with_server
        volume.status = "deleting" if goes else "available"
        tx.put(volume)


def _unbind(tx: stores.Transaction, port: things.Port) -> None:
    if port.made_by_server:
        tx.drop(port)
    else:
        port.server, port.owner = "", ""
        tx.put(port)
