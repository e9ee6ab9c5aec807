# SPDX-License-Identifier: Apache-2.0
"""The local cloud put together: its parts, from a layout."""

import contextlib
import fcntl
import logging
import os
import pathlib
import threading
import time
import typing

from cryptography import fernet

from trove import errors
from trove.localcloud import (
    bootstrap,
    disks,
    guestimage,
    identity,
    keeper,
    layers,
    layout,
    machines,
    objects,
    programs,
    servers,
    store,
    wires,
)
from trove.localcloud.web import calls, server

LOG = logging.getLogger(__name__)

ROWS = "cloud.sqlite"
"""The file of a deployment's rows, in its directory of the cloud."""


class AlreadyRunning(errors.Conflict):
    sentence = "trove-localcloud runs already (process {pid}); stop it first."


@contextlib.contextmanager
def alone(place: layout.Layout) -> typing.Iterator[None]:
    """One process at a time works on a deployment."""
    place.run.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (place.run / "localcloud.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise AlreadyRunning(pid=lock.read().strip() or "unknown") from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def disks_of(place: layout.Layout, host: programs.Runner) -> disks.Disks:
    """The deployment's volumes."""
    return disks.Disks(place.cloud / "volumes", host)


def machines_of(place: layout.Layout, host: programs.Runner) -> machines.Machines:
    """The deployment's machines."""
    return machines.Machines(place.cloud / "servers", place.tag, host)


def wires_of(place: layout.Layout, host: programs.Runner) -> wires.Wires:
    """The deployment's bridge and firewall."""
    return wires.Wires(place.tag, place.bridge, place.cidr, place.host_address, host)


def store_of(place: layout.Layout) -> store.Store:
    """The deployment's rows."""
    return store.Store(place.cloud / ROWS)


def seal_of(place: layout.Layout) -> fernet.Fernet:
    """What the deployment's secrets are sealed with; made once, root's alone."""
    file = place.cloud / "secrets.key"
    if not file.exists():
        identity.write(file, fernet.Fernet.generate_key().decode() + "\n")
    return fernet.Fernet(file.read_text().strip())


class LocalCloud:
    """A local cloud that serves: a part of a process."""

    def __init__(
        self,
        place: layout.Layout,
        image: guestimage.GuestImage,
        workers: int = 6,
        host: programs.Runner | None = None,
    ) -> None:
        host = host or programs.Host()
        self._place = place
        self._image = image
        self.store = store_of(place)
        workshop = servers.Workshop(
            place.tag,
            self.store,
            machines_of(place, host),
            disks_of(place, host),
            wires_of(place, host),
        )
        self.keeper = keeper.Keeper(workshop, workers)
        self._objects: objects.Objects | None = None
        self._serving: list[server.Server] = []

    def start(self) -> None:
        """What should run runs, and requests are answered."""
        place = self._place
        bootstrap.fill(self.store, place, self._image)
        self._prune()
        cloud = calls.Cloud(
            store=self.store,
            keeper=self.keeper,
            settings=bootstrap.Settings(tag=place.tag, bridge=place.bridge),
            endpoint=f"http://127.0.0.1:{place.cloud_port}",
            seal=seal_of(place),
        )
        self.keeper.start()
        self._objects = objects.Objects(place.cloud / "objects")
        self._serving = [
            server.make(cloud, place),
            server.objects(self._objects, place),
        ]
        for serving in self._serving:
            threading.Thread(
                target=serving.serve_forever, name="http", daemon=True
            ).start()

    def stop(self, within: float) -> bool:
        """No more requests; what was begun is finished; servers keep running."""
        for serving in self._serving:
            serving.shutdown()
            serving.server_close()
        self.keeper.stop()
        if self._objects is not None:
            self._objects.close()
        self.store.close()
        return True

    def _prune(self) -> None:
        """Forgets the images of older code, and their layers when nobody has them."""
        bootstrap.retire(self.store, self._image)
        used = {pathlib.Path(layer) for layer in bootstrap.used_layers(self.store)}
        kept = layers.Layers(self._place.cache / "images")
        kept.touch(used)
        for layer in kept.prune(used, time.time()):
            LOG.info("guest image layer %s is used no more and was removed", layer)
