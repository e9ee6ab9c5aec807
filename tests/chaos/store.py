# SPDX-License-Identifier: Apache-2.0
"""The store of backups in a world for chaos, and what its guests do with it.

The store is a directory, as an operator may have one; each call to it is one to
something outside, as each to the key manager is, in a world that has one. A guest
brings two parts by what it was granted, says that it wants the list's request, and is
done when that has come.
"""

import functools
import os
import pathlib
import shutil
import tempfile
import typing

from tests.chaos import lent
from trove.cloud.memory.keymanager import KeyManager
from trove.datastores import rows
from trove.datastores.rows import CHANGED, Hashes, Table
from trove.db.keybook import KeyBook
from trove.rpc import sealing
from trove.rpc.messages import (
    BackupOrder,
    ExportOrder,
    ImportOrder,
    RestoreOrder,
    RowsOrder,
    Sealed,
)
from trove.storage import archives, manifest
from trove.storage.keys import Derived, Keyring
from trove.storage.managed import ManagedKeys
from trove.storage.manifest import Part
from trove.storage.vault import carry
from trove.storage.vault.directory import Directory
from trove.storage.vault.protocol import LIST, ROWS, Before, Signed, Vault

if typing.TYPE_CHECKING:
    from tests.chaos.world import World

PARTS = (b"one", b"another")
WORDS = {"lsn": "7", "place": "7", "at": "1000000.0"}
HASHES = Hashes((Table(("shop", "goods"), 2, "f00"),), {CHANGED: 1})
SIZE = 2**30
SHM = "/dev/shm"
SECRETS, MANAGED = "keys/", "keys/are managed"
"""How secrets of the key manager are told among the objects, and that there is one."""


class Store:
    """``flows.context.Surroundings.storage`` of a world."""

    driver = "directory"
    used: typing.ClassVar[bool] = True
    """Whether anything may be in the folder, which all worlds have in common: what
    another one left in it is not this one's."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.managed = False
        """Whether a key manager has the keys, and no keyring."""
        self.path = _folder()
        self.put_back({})

    @property
    def keys(self) -> Derived:
        """As a process has them that has just begun: nothing is in memory."""
        if not self.managed:
            return Keyring({"1": b"k" * 32})
        return _managed(self._world)

    def rotate(self) -> None:
        """Each project that has a key has a newer one."""
        book = KeyBook(self._world.database)
        for project in book.projects():
            _managed(self._world).rotate(project)

    def secrets(self) -> set[str]:
        """The ids of all that the key manager has."""
        return set(self._world.cloud.world.secrets)

    def vault(
        self, driver: str, container: str, backup: str, before: Before
    ) -> "Vault":
        self.opened()
        vault = Directory(str(self.path), before)
        return typing.cast(Vault, _Called(self._world, vault))

    def opened(self) -> None:
        """Somebody is about to put something into it."""
        Store.used = True

    def taken(self) -> dict[str, bytes]:
        """All that is in it, and in the key manager."""
        if not self.used:
            return {}
        found = dict(_objects(str(self.path), ""))
        if self.managed:
            found[MANAGED] = b""
        for id, (name, secret) in self._world.cloud.world.secrets.items():
            found[f"{SECRETS}{id}"] = secret + name.encode()
        return found

    def spoil(self, name: str) -> None:
        """A bit of this object is another."""
        data = bytearray((self.path / name).read_bytes())
        data[len(data) // 2] ^= 1
        (self.path / name).write_bytes(data)

    def put_back(self, objects: dict[str, bytes]) -> None:
        """It has these, and no others."""
        self.managed = MANAGED in objects
        self._world.cloud.world.secrets = {
            name.removeprefix(SECRETS): (data[32:].decode(), data[:32])
            for name, data in objects.items()
            if name.startswith(SECRETS) and name != MANAGED
        }
        if not self.used and not objects:
            return
        for entry in self.path.iterdir():
            shutil.rmtree(entry)
        for name, data in objects.items():
            if name.startswith(SECRETS):
                continue
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        Store.used = bool(objects)

    def manage(self) -> None:
        """From now on a key manager has the keys."""
        self.managed = Store.used = True


def _managed(world: "World") -> ManagedKeys:
    return ManagedKeys(KeyManager(world.cloud), KeyBook(world.database), "chaos")


@functools.cache
def _folder() -> pathlib.Path:
    """One for all worlds of this process, as they have one database."""
    return pathlib.Path(tempfile.mkdtemp(dir=SHM if os.path.isdir(SHM) else None))


def _objects(folder: str, below: str) -> typing.Iterator[tuple[str, bytes]]:
    """Each file's name and what it has. It is asked at every write of a story, and
    ``pathlib`` took a quarter of its time for that."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _objects(entry.path, f"{below}{entry.name}/")
            else:
                with open(entry.path, "rb", buffering=0) as file:
                    yield f"{below}{entry.name}", file.read()


def discard() -> None:
    """Nothing of it is left, if there was any."""
    if _folder.cache_info().currsize:
        shutil.rmtree(_folder())


class _Called:
    """A vault of which each call is one to something outside."""

    def __init__(self, world: "World", vault: Vault) -> None:
        self._world, self._vault = world, vault

    def close(self) -> None:
        self._vault.close()

    def __getattr__(self, name: str) -> typing.Callable[..., typing.Any]:
        method: typing.Callable[..., typing.Any] = getattr(self._vault, name)
        if name in ("writes", "reads"):  # nobody is asked for a signature
            return method

        def called(*args: typing.Any) -> typing.Any:
            self._world.before(f"store.{name}")
            found = method(*args)
            if name == "listed":
                found = iter(list(found))
            self._world.after(f"store.{name}")
            return found

        return called


class Savers:
    """The jobs of the guests that carry something: how they stand, by their ids."""

    def __init__(self, private: str) -> None:
        self._private = private
        self.said: dict[str, dict[str, typing.Any]] = {}
        """What a job has said; one that wants something goes on."""
        self.lies = ""
        """What the guests do otherwise than they say; ``full``: than was ordered, and
        they say that."""

    def goes_on(self, job: str) -> bool:
        return "want" in self.said.get(job, {})

    def hears(self, job: str, method: str, arguments: dict[str, typing.Any]) -> bool:
        """Whether this is a job's (else it is no message of these)."""
        if method == "allow":
            self._allowed(job, arguments["sealed"])
        elif method == "back_up":
            self._begun(job, arguments["order"])
        elif method in ("restore", "restore_chain"):
            self._asked(job, arguments["order"])
        elif method == "check_rows":
            self._compares(job, arguments["order"])
        elif method == "export":
            self._exporting(job, arguments["order"])
        elif method == "load_dump":
            self._loading(job, arguments["order"])
        return method == "allow"

    def _begun(self, job: str, order: BackupOrder) -> None:
        if job in self.said:
            return
        if self.lies == "no log" and order.since is not None:
            self.said[job] = {"attempt": 1, "none": "binlog.000007 is not there"}
            return
        requests = lent.first(self._private, order.sealed)
        for number, data in enumerate(PARTS):
            if self.lies != "no part" or number:
                _put(requests[number], data)
        if order.rows is not None and self.lies != "no rows":
            _put(requests[ROWS], rows.write(HASHES))
        self.said[job] = {"attempt": 1, "carried": 10, "want": LIST}

    def _compares(self, job: str, order: RowsOrder) -> None:
        self.said[job] = rows.compared(rows.read(order.hashes), Hashes(HASHES.tables))

    def _asked(self, job: str, order: RestoreOrder) -> None:
        if job in self.said:
            return
        requests = lent.first(self._private, order.sealed)
        expected: list[str] = []
        for number, link in enumerate(order.links):
            data = carry.get(requests[LIST + number], link.size, 9, files=True)
            parts = manifest.parts_in(data, link.sha256)
            assert parts == tuple(map(Part.of, PARTS))
            expected += [part.sha256 for part in parts]
        if order.replay is not None:
            assert order.words == WORDS
            at = requests[LIST + len(order.links)]
            data = carry.get(at, order.replay.size, 9, files=True)
            for one in archives.read(data, order.replay.sha256):
                expected += [part.sha256 for part in one.parts]
        self.said[job] = {"attempt": 1, "want": 0, "expected": expected}

    def _exporting(self, job: str, order: ExportOrder) -> None:
        if job not in self.said and not order.back:
            self._export(job, lent.first(self._private, order.sealed), 0)

    def _loading(self, job: str, order: ImportOrder) -> None:
        if job in self.said or order.back:
            return
        requests = lent.first(self._private, order.sealed)
        found = carry.get(requests[0], order.size, 9, files=True)
        assert found == lent.LOADED_DATA, "another dump"
        self.said[job] = {"attempt": 1, "carried": 0, "want": 0}

    def _export(self, job: str, requests: dict[int, Signed], first: int) -> None:
        """What is granted now is brought: one database, or in the end the list."""
        if first == LIST:
            _put(requests[LIST], lent.listed())
            self.said[job] = {"attempt": 1}
            return
        for number, data in enumerate(lent.PARTS):
            if self.lies != "no part" or number:
                _put(requests[first + number], data)
        want = lent.WANTS[first // lent.EACH]
        self.said[job] = {"attempt": 1, "carried": 10, "want": want}

    def _allowed(self, job: str, sealed: Sealed) -> None:
        if not self.goes_on(job):
            return
        secret = sealing.unseal(self._private, sealed.text)
        if secret.get("over"):
            return
        requests = lent.requests(secret)
        if job.endswith("/export"):
            self._export(job, requests, self.said[job]["want"])
            return
        if job.endswith("/load_dump"):
            assert list(requests) == [0]
            self.said[job] = {"attempt": 1}
            return
        if LIST in requests:
            parts = [Part.of(data) for data in PARTS]
            if self.lies != "no list":
                _put(requests[LIST], manifest.brought(parts))
            full = {"full": True} if self.lies == "full" else {}
            self.said[job] = {"attempt": 1, "words": WORDS, "size": SIZE, **full}
        else:
            for number, sha256 in enumerate(self.said[job]["expected"]):
                data = pathlib.Path(requests[number].url.removeprefix("file://"))
                found = Part.of(data.read_bytes()).sha256
                assert found == sha256, "T24: other data than were saved"
            self.said[job] = {}


def _put(signed: Signed, data: bytes) -> None:
    try:
        carry.put(signed, data, 9, files=True)
    except carry.Taken:
        pass
