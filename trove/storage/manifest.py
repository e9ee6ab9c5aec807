# SPDX-License-Identifier: Apache-2.0
"""The manifest of a backup: what it is of, and every part that it is made of.

The guest brings the list of its parts, the control plane compares it with what the
store has, and writes the manifest, last, with a signature of the project's key. A
backup without one is none (ADR 30).
"""

import dataclasses
import hashlib
import hmac
import json
import re
import typing

from trove import errors
from trove.storage.frames import Broken
from trove.storage.vault.protocol import LIST

FORMAT = 1
PARTS = LIST
"""The most that a backup may have."""
LARGEST = 192 * PARTS
"""Bytes of a manifest, at the most."""
SHA256, MD5 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{32}")


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """An object: its bytes, and their hashes. The store computes the MD5 itself, and
    the SHA-256 is what a restore compares."""

    size: int
    sha256: str
    md5: str

    @classmethod
    def of(cls, *pieces: bytes) -> "Part":
        """What these bytes are, one piece after the other."""
        md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        for piece in pieces:
            md5.update(piece)
            sha256.update(piece)
        return cls(sum(map(len, pieces)), sha256.hexdigest(), md5.hexdigest())


@dataclasses.dataclass(frozen=True, slots=True)
class Manifest:
    """What a restore must know. ``size``: bytes that the data take on a volume.

    ``about`` is the engine's own word: its exact version, where its log was at the
    beginning and the end, what an increment begins at.
    """

    backup: str
    instance: str
    project: str
    datastore: str
    size: int
    parts: tuple[Part, ...]
    parent: str | None = None
    about: dict[str, typing.Any] = dataclasses.field(default_factory=dict)
    format: int = FORMAT

    @property
    def stored(self) -> int:
        """Bytes of all its parts."""
        return sum(part.size for part in self.parts)


def write(manifest: Manifest, ring: str, key: bytes) -> bytes:
    """As it is stored: the facts, the id of the key, the signature."""
    facts = dataclasses.asdict(manifest)
    facts["parts"] = list_of(manifest.parts)
    body = _plain({"ring": ring, "manifest": facts})
    return body + b"\n" + _signature(body, key) + b"\n"


def read(data: bytes, sha256: str, key: typing.Callable[[str], bytes]) -> Manifest:
    """What was written; ``Broken`` unless it is that, to the bit.

    ``sha256`` is what the control database has of it; ``key`` answers by id.
    """
    body, signature = _same(data, sha256)
    try:
        said = json.loads(body)
        ring, facts = str(said["ring"]), dict(said["manifest"])
        if facts.get("format") != FORMAT:
            raise Broken(why=f"its format is {facts.get('format')}, not {FORMAT}")
        facts["parts"] = parts_of(facts["parts"])
        found = Manifest(**facts)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Broken(why=f"its manifest is none ({type(error).__name__})") from None
    if not hmac.compare_digest(_signature(body, key(ring)), signature):
        raise Broken(why="its manifest was not signed by this service")
    return found


def parts_in(data: bytes, sha256: str) -> tuple[Part, ...]:
    """The parts that it names, for who knows its hash from a better place than it."""
    body, _ = _same(data, sha256)
    try:
        return parts_of(json.loads(body)["manifest"]["parts"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Broken(why=f"its manifest is none ({type(error).__name__})") from None


def _same(data: bytes, sha256: str) -> tuple[bytes, bytes]:
    """What was written, and its signature."""
    if not hmac.compare_digest(digest(data), sha256):
        raise Broken(why="its manifest is another one than was written")
    body, _, signature = data.rstrip(b"\n").rpartition(b"\n")
    return body, signature


def digest(data: bytes) -> str:
    """What the control database has of a manifest."""
    return hashlib.sha256(data).hexdigest()


def list_of(parts: typing.Sequence[Part]) -> list[list[typing.Any]]:
    """Parts, as they are written down."""
    return [[part.size, part.sha256, part.md5] for part in parts]


def brought(parts: typing.Sequence[Part]) -> bytes:
    """A guest's list, as it is brought to the store."""
    return _plain(list_of(parts))


def parts_of(said: typing.Any) -> tuple[Part, ...]:
    """The reverse of ``list_of``; ``errors.Invalid`` for anything else."""
    if not isinstance(said, list) or not 0 < len(said) <= PARTS:
        raise errors.Invalid(why="that is no list of parts")
    return tuple(_part(one) for one in said)


def of_guest(data: bytes) -> tuple[Part, ...]:
    """The reverse of ``brought``, of somebody who may be anybody."""
    if len(data) > LARGEST:
        raise errors.Invalid(why="the list of parts is too long")
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        raise errors.Invalid(why="the list of parts is no JSON") from None
    return parts_of(said)


def missing(
    parts: typing.Sequence[Part], found: typing.Iterable[tuple[int, int, str]]
) -> str | None:
    """The first thing that the store has otherwise than the list; None: it has all.

    ``found`` is what it has: number, bytes and MD5 of each part, in any order.
    """
    there = {number: (size, md5) for number, size, md5 in found}
    for number, part in enumerate(parts):
        size, md5 = there.pop(number, (None, None))
        if size is None:
            return f"part {number} is not there"
        if size != part.size:
            return f"part {number} has {size} bytes, not {part.size}"
        if md5 != part.md5:
            return f"part {number} is another one than was made"
    return f"part {min(there)} is nobody's" if there else None


def _part(said: typing.Any) -> Part:
    match said:
        case [int(size), str(sha256), str(md5)] if (
            type(size) is int
            and 0 < size < 2**40
            and SHA256.fullmatch(sha256)
            and MD5.fullmatch(md5)
        ):
            return Part(size, sha256, md5)
    raise errors.Invalid(why="that is no part")


def _plain(value: typing.Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _signature(body: bytes, key: bytes) -> bytes:
    return hmac.digest(key, body, "sha256").hex().encode()
