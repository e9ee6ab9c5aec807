# SPDX-License-Identifier: Apache-2.0
"""What a project's object store is asked for, whichever it is."""

import typing

from trove.storage.lent import Place


class ObjectStore(typing.Protocol):
    """One project's objects, with the rights of whoever asks.

    Every method raises ``errors.Unavailable`` when the store does not answer,
    ``errors.Forbidden`` when it does not let the caller, ``errors.Upstream`` otherwise.
    """

    def ensure(self, container: str) -> str:
        """The container is there; the key that URLs below it are signed with."""
        ...

    def signed(
        self, container: str, prefix: str, key: str, seconds: int
    ) -> tuple[str, str]:
        """The URL of a prefix that guests may write below, and the query it needs."""
        ...

    def delete(self, container: str, prefixes: typing.Iterable[str]) -> None:
        """All that begins with one of these is gone; nothing there is fine."""
        ...

    def lend(self, container: str) -> Place:
        """The container is there; what others write, read and delete in it by."""
        ...

    def holds(self, container: str, prefix: str) -> bool:
        """Whether anything that is not empty begins with this."""
        ...

    def size(self, container: str, name: str) -> int | None:
        """The bytes of an object; None where there is none."""
        ...

    def link(self, container: str, name: str, prefix: str) -> None:
        """An object that is all that begins with this, one after the other, now and
        later: in the order of the names."""
        ...

    def close(self) -> None:
        """Ends the connections."""
        ...


class Opens(typing.Protocol):
    """Makes one. ``endpoint`` is the catalogue's; ``guests`` replaces its scheme, host
    and port where guests reach it otherwise."""

    def __call__(
        self, endpoint: str, token: str, verify: bool | str = True, guests: str = ""
    ) -> ObjectStore: ...
