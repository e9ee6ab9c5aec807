# SPDX-License-Identifier: Apache-2.0
"""A dump in a project's own container: what its objects are called, and its list.

Of each database there is one object that any client downloads whole; it is a link to
the parts that the guest brought. Last of all comes the list, ``dump.json``: what is in
the dump, and the SHA-256 of each object. A dump without it is none.
"""

import dataclasses
import json
import typing

from trove import errors
from trove.storage import manifest
from trove.storage.manifest import SHA256, Part
from trove.storage.vault.protocol import LIST

EACH = 10_000
"""The most parts of one database: numbers of parts are dealt out by so many."""
MOST = LIST // EACH
"""The most databases of one dump."""
LARGEST = manifest.LARGEST
"""Bytes of a list, at the most."""
PIECE = 16 * 1024 * 1024
"""Bytes of what is fetched at once of a dump that is loaded."""
LONGEST = 128
"""Bytes of a dump's name: the rest of an object's is a database's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Names:
    """Of a dump of these databases; ``ending`` is of its objects (``.sql.zst``)."""

    name: str
    databases: tuple[str, ...]
    ending: str

    @property
    def prefix(self) -> str:
        """How all of them begin."""
        return f"{self.name}/"

    @property
    def list(self) -> str:
        """Brought last."""
        return f"{self.prefix}dump.json"

    def object(self, index: int) -> str:
        """What a database is downloaded by. A slash of its name is none of a path."""
        name = self.databases[index].replace("%", "%25").replace("/", "%2F")
        return f"{self.prefix}{name}{self.ending}"

    def parts(self, index: int) -> str:
        """How the parts of a database begin."""
        return f"{self.prefix}parts/{index}/"

    def part(self, index: int, number: int) -> str:
        """One of them."""
        return f"{self.parts(index)}{number:07}"

    def of(self, number: int) -> str | None:
        """What a guest's number stands for; None where it stands for nothing."""
        if number == LIST:
            return self.list
        index, part = divmod(number, EACH)
        return self.part(index, part) if index < len(self.databases) else None


def piece(size: int, number: int) -> tuple[int, int] | None:
    """Where a piece of a dump of so many bytes begins, and its own size."""
    first = number * PIECE
    return (first, min(PIECE, size - first)) if 0 <= first < size else None


@dataclasses.dataclass(frozen=True, slots=True)
class Dumped:
    """One database of a dump; ``sha256`` is of all its parts, one after the other."""

    database: str
    parts: tuple[Part, ...]
    sha256: str

    @property
    def size(self) -> int:
        """Bytes of the object."""
        return sum(part.size for part in self.parts)


def write(
    names: Names, about: dict[str, str], dumped: typing.Sequence[Dumped]
) -> bytes:
    """The list, as people read it too."""
    said = {
        **about,
        "databases": [
            {
                "database": one.database,
                "object": names.object(index),
                "bytes": one.size,
                "sha256": one.sha256,
                "parts": manifest.list_of(one.parts),
            }
            for index, one in enumerate(dumped)
        ],
    }
    return json.dumps(said, sort_keys=True).encode() + b"\n"


def read(data: bytes, names: Names) -> tuple[Dumped, ...]:
    """The reverse, of somebody who may be anybody; ``errors.Invalid`` unless it is of
    these very databases."""
    try:
        said = json.loads(data)["databases"]
        found = tuple(
            Dumped(
                str(one["database"]),
                manifest.parts_of(one["parts"]),
                str(one["sha256"]),
            )
            for one in said
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        raise errors.Invalid(why="the list of the dump is none") from None
    if tuple(one.database for one in found) != names.databases:
        raise errors.Invalid(why="the list of the dump is of other databases")
    if any(len(one.parts) > EACH or not SHA256.fullmatch(one.sha256) for one in found):
        raise errors.Invalid(why="the list of the dump is none")
    return found
