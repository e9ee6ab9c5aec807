# SPDX-License-Identifier: Apache-2.0
"""A container that its project lent, in a world for chaos, and the guest that uses it.

It is a folder of the world's store; each call to it is one to something outside. The
guest brings two parts of each of two databases, as it is granted them, then their list.
"""

import typing

from trove import errors
from trove.rpc import sealing
from trove.storage import dumps
from trove.storage.dumps import EACH, Dumped
from trove.storage.lent import Place
from trove.storage.manifest import Part
from trove.storage.vault.directory import Directory
from trove.storage.vault.protocol import LIST, Before, Signed, Stored

if typing.TYPE_CHECKING:
    from tests.chaos.world import World

NAMES = dumps.Names("nightly", ("shop", "till"), ".sql.zst")
PARTS = (b"one", b"another")
WANTS = (EACH, LIST)
"""What the guest has nothing for yet, one after the other."""
FOLDER = "lent/"
LOADED, LOADED_DATA = "friday/shop.sql", b"CREATE TABLE t (id INT);"
"""What a dump is called that is loaded, and what is in it."""
PLACE = Place("memory:", "mine", "key")


class Borrowed:
    """``storage.lent.Container`` of a world."""

    def __init__(self, world: "World", place: Place, before: Before) -> None:
        assert place == PLACE
        self._world = world
        world.store.opened()
        self._there = Directory(str(world.store.path), before)

    def close(self) -> None:
        self._there.close()

    def writes(self, name: str, seconds: int) -> Signed:
        return self._there.writes(FOLDER + name, seconds)

    def reads(self, name: str, seconds: int, first: int, size: int) -> Signed:
        assert (name, first, size) == (LOADED, 0, len(LOADED_DATA))
        return self._there.reads(FOLDER + name, seconds)

    def find(self, name: str) -> Stored | None:
        self._world.before("lent.find")
        try:
            part = Part.of(self._there.get(FOLDER + name, dumps.LARGEST))
        except errors.NotFound:
            return None
        self._world.after("lent.find")
        return Stored(name, part.size, part.md5)

    def get(self, name: str, most: int) -> bytes:
        self._world.before("lent.get")
        found = self._there.get(FOLDER + name, most)
        self._world.after("lent.get")
        return found

    def delete(self, name: str) -> bool:
        self._world.before("lent.delete")
        was = [one.name for one in self._there.listed(FOLDER + name)]
        self._there.delete([FOLDER + name])
        self._world.after("lent.delete")
        return FOLDER + name in was


def first(private: str, sealed: str) -> dict[int, Signed]:
    """All that an order grants."""
    found: dict[int, Signed] = {}
    for each in sealing.unseal(private, sealed)["grants"]:
        found |= requests(each)
    return found


def requests(grant: dict[str, typing.Any]) -> dict[int, Signed]:
    """What is granted, by its number."""
    return {
        grant["first"] + at: Signed(url, headers)
        for at, (url, headers) in enumerate(grant["requests"])
    }


def listed() -> bytes:
    """What the guest says that it brought."""
    parts = tuple(map(Part.of, PARTS))
    whole = [Dumped(name, parts, "ab" * 32) for name in NAMES.databases]
    return dumps.write(NAMES, {}, whole)


def check(there: dict[str, bytes], done: bool) -> dict[str, bytes]:
    """All of a dump that is done, and nothing of another; the rest is not of this."""
    mine = {name for name in there if name.startswith(FOLDER)}
    wanted = {
        FOLDER + NAMES.part(index, number): data
        for index in range(len(NAMES.databases))
        for number, data in enumerate(PARTS)
    }
    wanted[FOLDER + NAMES.list] = listed()
    mine -= {FOLDER + LOADED}  # its owner's, which nobody touches
    found = {name: there[name] for name in mine}
    assert found == (wanted if done else {}), "INV-16: another dump than was said"
    return {name: data for name, data in there.items() if FOLDER not in name}
