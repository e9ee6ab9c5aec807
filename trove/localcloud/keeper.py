# SPDX-License-Identifier: Apache-2.0
"""The keeper: threads that make the machine what the rows say, and keep it so.

A request writes a row that says what is to be done (``doing`` of a server, ``status``
of a volume, ``state`` of an attachment) and wakes the keeper. The same row is what the
keeper finds after a crash: there is one way to do a thing, not two.
"""

import concurrent.futures
import logging
import sqlite3
import threading
import typing

from trove import errors
from trove.localcloud import servers, snapshots, things

LOG = logging.getLogger(__name__)

Key = tuple[type[things.Thing], str]
TROUBLE = (errors.TroveError, OSError, sqlite3.Error)
PENDING = ("creating", "deleting", "extending")
REMEMBERED = 86400.0
"""Seconds that a deleted server is kept for those who ask what changed."""

WATCH = 2.0
"""Seconds between two looks at what runs, and two tries of what failed."""


class Keeper:
    """Does the work that rows ask for, one thing at a time for each row."""

    def __init__(self, workshop: servers.Workshop, workers: int = 6) -> None:
        self._shop = workshop
        self._store = workshop.store
        self._pool = concurrent.futures.ThreadPoolExecutor(workers, "keeper")
        self._turn = threading.Lock()
        self._rest = threading.Condition(self._turn)
        self._running: set[Key] = set()
        self._again: set[Key] = set()
        self._missing: set[str] = set()
        self._ending = threading.Event()
        self._watcher = threading.Thread(
            target=self._watch, name="watcher", daemon=True
        )

    # -- its own life --------------------------------------------------------------

    def start(self) -> None:
        """Finishes what was begun before, and starts what should run."""
        self._shop.wires.up()
        self._shop.guard()
        self.recover()
        self._watcher.start()

    def recover(self) -> None:
        """Takes up what a crash, or a reboot of the host, left."""
        machines, active = self._shop.machines, self._shop.machines.active()
        with self._store.transaction() as tx:
            alive = {}
            for server in tx.all(things.Server):
                if server.deleted is None:
                    alive[server.id] = server
                elif tx.now() - server.deleted > REMEMBERED:
                    tx.drop(server)
            for server in alive.values():
                if server.doing is None and server.wanted == "running":
                    if server.id not in active and server.status != "ERROR":
                        server.doing = "starting"
                        tx.put(server)
            attached = {each.id: each.server for each in tx.all(things.Attachment)}
        for stray in machines.all() - set(alive):
            LOG.warning("machine %s belongs to no server and is removed", stray)
            self._try(machines.remove, stray)
        for volume in self._shop.disks.devices():
            if attached.get(volume) not in active:
                self._try(self._shop.disks.release, volume)
        self.sweep()

    def _try(self, deed: typing.Callable[[str], None], id: str) -> None:
        """What cannot be done now must not keep the rest from starting."""
        try:
            deed(id)
        except TROUBLE as trouble:
            LOG.warning("%s: %s", id, trouble)

    def stop(self) -> None:
        """Ends the threads after what they are doing; servers keep running."""
        self._ending.set()
        if self._watcher.is_alive():
            self._watcher.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def idle(self) -> None:
        """Returns once nothing that was woken is left to do."""
        with self._turn:
            while self._running:
                self._rest.wait()

    def sweep(self) -> None:
        """Takes up every row that asks for something."""
        for key in self._asking():
            self.wake(*key)

    def _asking(self) -> list[Key]:
        with self._store.transaction() as tx:
            keys: list[Key] = [
                (things.Server, server.id)
                for server in tx.all(things.Server)
                if server.doing is not None and server.deleted is None
            ]
            keys += [
                (things.Volume, volume.id)
                for volume in tx.all(things.Volume)
                if volume.status in PENDING
            ]
            keys += [(things.Snapshot, id) for id in snapshots.pending(tx)]
            busy = {id for kind, id in keys if kind is things.Server}
            keys += [
                (things.Attachment, each.id)
                for each in tx.all(things.Attachment)
                if each.state in ("attaching", "detaching") and each.server not in busy
            ]
        return keys

    def _watch(self) -> None:
        while not self._ending.wait(WATCH):
            try:
                self.look()
                self.sweep()
            except TROUBLE as trouble:
                LOG.warning("the host could not be looked at: %s", trouble)

    def look(self) -> None:
        """Servers whose machine stopped by itself, or is back, are shown so."""
        active = self._shop.machines.active()
        missing = set()
        with self._store.transaction() as tx:
            for server in tx.all(things.Server):
                if server.doing is not None or server.deleted is not None:
                    continue
                if server.status == "ACTIVE" and server.id not in active:
                    missing.add(server.id)
                    # Seen twice: it may have been about to start or to be stopped.
                    if server.id in self._missing:
                        server.status = "SHUTOFF"
                        tx.put(server)
                elif server.status == "SHUTOFF" and server.id in active:
                    server.status = "ACTIVE"
                    tx.put(server)
        self._missing = missing

    def guard(self) -> None:
        """The firewall says what the rows say, before the request is answered."""
        self._shop.guard()

    def console(self, server: str, lines: int | None) -> str:
        """What a server wrote on its console."""
        return self._shop.machines.console(server, lines)

    # -- work ------------------------------------------------------------------------

    def wake(self, kind: type[things.Thing], id: str) -> None:
        """Have this row looked at soon."""
        key = (kind, id)
        with self._turn:
            if key in self._running:
                self._again.add(key)
                return
            self._running.add(key)
        self._submit(key)

    def _submit(self, key: Key) -> None:
        try:
            self._pool.submit(self._work, key).add_done_callback(_tell)
        except RuntimeError:
            # It is ending; the row is found again at the next start.
            with self._turn:
                self._running.discard(key)
                self._rest.notify_all()

    def _work(self, key: Key) -> None:
        kind, id = key
        try:
            if kind is things.Server:
                self._server(id)
            elif kind is things.Volume:
                self._volume(id)
            elif kind is things.Snapshot:
                snapshots.carry(self._store, self._shop.disks, id)
            else:
                self._attachment(id)
        except TROUBLE as trouble:
            LOG.warning("%s %s: %s; tried again soon", kind.__name__, id, trouble)
        finally:
            with self._turn:
                again = key in self._again
                self._again.discard(key)
                if not again:
                    self._running.discard(key)
                    self._rest.notify_all()
            if again:
                self._submit(key)

    def _server(self, id: str) -> None:
        with self._store.transaction() as tx:
            server = tx.get(things.Server, id)
        if server is None or server.doing is None or server.deleted is not None:
            return
        doing = server.doing
        try:
            self._deeds()[doing](server)
        except TROUBLE as trouble:
            if doing == "deleting":
                raise
            LOG.error("server %s: %s failed: %s", id, doing, trouble)
            self._failed(server, doing, trouble)
            return
        self._done(server, doing)

    def _deeds(self) -> dict[str, typing.Callable[[things.Server], None]]:
        shop = self._shop
        return {
            "building": shop.build,
            "starting": shop.boot,
            "stopping": shop.halt,
            "rebooting": shop.reboot,
            "rebooting_hard": lambda server: shop.reboot(server, hard=True),
            "rebuilding": shop.rebuild,
            "resizing": shop.resize,
            "deleting": shop.clear,
        }

    def _done(self, server: things.Server, doing: str) -> None:
        after = {
            "stopping": "SHUTOFF",
            "resizing": "VERIFY_RESIZE" if server.old_flavor else server.status,
            "deleting": "DELETED",
        }.get(doing, "ACTIVE")
        if doing == "resizing" and not server.old_flavor:
            after = "ACTIVE" if server.wanted == "running" else "SHUTOFF"
        with self._store.transaction() as tx:
            row = tx.get(things.Server, server.id)
            if row is None or row.doing != doing:
                # Asked for something else meanwhile (a delete); that comes next.
                with self._turn:
                    self._again.add((things.Server, server.id))
                return
            row.doing, row.status = None, after
            if doing == "deleting":
                row.deleted, row.user_data = tx.now(), None
            elif doing in ("building", "rebuilding"):
                row.launched, row.user_data = tx.now(), None
                _attached(tx, server.id)
            tx.put(row)
        if doing == "deleting":
            self.sweep()
        LOG.info("server %s: %s is done", server.id, doing)

    def _failed(
        self, server: things.Server, doing: str, trouble: BaseException
    ) -> None:
        if doing == "building":
            try:
                self._shop.clear(server)
            except TROUBLE as more:
                LOG.warning("server %s: cleared only in part: %s", server.id, more)
        with self._store.transaction() as tx:
            row = tx.get(things.Server, server.id)
            if row is None:
                return
            if row.doing == doing:
                row.doing, row.status = None, "ERROR"
            row.user_data = None
            row.fault = {"code": 500, "created": tx.now(), "message": str(trouble)}
            tx.put(row)

    def _volume(self, id: str) -> None:
        with self._store.transaction() as tx:
            volume = tx.get(things.Volume, id)
        if volume is None or volume.status not in PENDING:
            return
        disks, status = self._shop.disks, volume.status
        after = "available"
        try:
            if status == "creating":
                if volume.snapshot:
                    disks.fill(id, volume.snapshot)
                disks.create(id, volume.size)
            elif status == "extending":
                disks.grow(id, volume.size)
            else:
                disks.remove(id)
        except TROUBLE as trouble:
            LOG.error("volume %s: %s failed: %s", id, status, trouble)
            after = "error" if status == "creating" else f"error_{status}"
        with self._store.transaction() as tx:
            row = tx.get(things.Volume, id)
            if row is None or row.status != status:
                return
            if status == "deleting" and after == "available":
                tx.drop(row)
                return
            if after == "available" and tx.get(things.Attachment, id):
                after = "in-use"
            row.status = after
            tx.put(row)

    def _attachment(self, id: str) -> None:
        with self._store.transaction() as tx:
            attachment = tx.get(things.Attachment, id)
        if attachment is None or attachment.state == "attached":
            return
        stays, trouble = attachment.state == "attaching", None
        try:
            if attachment.state == "attaching":
                self._shop.plug(attachment)
            else:
                self._shop.unplug(attachment)
        except TROUBLE as caught:
            stays, trouble = not stays, caught
            LOG.error("volume %s: %s failed: %s", id, attachment.state, caught)
        with self._store.transaction() as tx:
            if tx.get(things.Attachment, id) is None:
                return
            volume = tx.get(things.Volume, id)
            if stays:
                attachment.state = "attached"
                tx.put(attachment)
            else:
                tx.drop(attachment)
            if volume is not None:
                volume.status = "in-use" if stays else "available"
                tx.put(volume)
        if trouble is not None and not stays:
            self._shop.disks.release(id)


def _tell(done: "concurrent.futures.Future[None]") -> None:
    """An error nobody thought of is in nobody's hands but the log's."""
    if not done.cancelled() and (error := done.exception()) is not None:
        LOG.error("the keeper has a fault", exc_info=error)


def _attached(tx: typing.Any, server: str) -> None:
    for attachment in tx.all(things.Attachment):
        if attachment.server == server and attachment.state == "attaching":
            attachment.state = "attached"
            tx.put(attachment)
            if volume := tx.get(things.Volume, attachment.id):
                volume.status = "in-use"
                tx.put(volume)
