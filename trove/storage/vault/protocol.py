# SPDX-License-Identifier: Apache-2.0
"""Where backups are kept: what the control plane asks a store for, whichever it is.

A guest has none of these rights. It is given one request at a time, signed, which
``carry`` makes; this module is all that both sides know of each other.
"""

import dataclasses
import typing

LIST = 1_000_000
"""The number by which a guest is granted what is no part: the list of them, or (from
here on, one each) the manifests of a chain. No backup has as many parts."""
ROWS = LIST + 1
"""That of the hashes of its rows, where a guest brings a backup."""


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """An object as the store itself lists it; ``md5`` (hexadecimal) is the store's."""

    name: str
    size: int
    md5: str


@dataclasses.dataclass(frozen=True, slots=True)
class Signed:
    """One request that a guest may make: its URL, and headers that it must send.

    The URL is the credential, so it is not shown.
    """

    url: str = dataclasses.field(repr=False)
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


Before = typing.Callable[[], object]
"""Called before each request of a deed that may take many: whoever does it has to say
that he lives. What it raises ends the deed."""


def nothing() -> None:
    """What is called when nobody wants to know."""


class Vault(typing.Protocol):
    """The objects of one container (a bucket, a directory).

    Names are those of ``names.checked``, which every method applies
    (``errors.Invalid``). Every method raises ``errors.Unavailable`` when the store does
    not answer, ``errors.Forbidden`` when it does not let us, ``errors.Upstream``
    otherwise; no message holds a key, a token or a signature.
    """

    def ensure(self) -> None:
        """The container is there, and we may use it; one request where it is."""
        ...

    def writes(self, name: str, seconds: int) -> Signed:
        """A PUT of this object, for so long."""
        ...

    def reads(self, name: str, seconds: int) -> Signed:
        """A GET of this object, for so long."""
        ...

    def put(self, name: str, data: bytes) -> None:
        """The object is these bytes, whatever it was before."""
        ...

    def get(self, name: str, most: int) -> bytes:
        """All of an object; ``errors.NotFound`` where there is none,
        ``errors.Upstream`` where it is larger than ``most``."""
        ...

    def listed(self, prefix: str) -> typing.Iterator[Stored]:
        """What begins with this, each once, in the order of the names."""
        ...

    def delete(self, prefixes: typing.Iterable[str]) -> None:
        """All that begins with one of these is gone; nothing there is fine. An empty
        prefix is refused: it is every backup there is."""
        ...

    def shut(self) -> None:
        """What is there is as it is from now on: no URL that was given before writes it
        again or has it end, and it does not end by itself."""
        ...

    def end(self, prefix: str) -> None:
        """What begins with this is gone, and the container with it, where that is of
        one owner's own."""
        ...

    def close(self) -> None:
        """Ends the connections."""
        ...
