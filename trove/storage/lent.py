# SPDX-License-Identifier: Apache-2.0
"""A container of a project's that its owner lent for one piece of work.

What was lent is the key that the container's URLs are signed with: with it objects of
that container alone are written, read and deleted by their names, for as long as its
owner leaves it the same. No token is kept, nothing else of the account can be used,
and what there is cannot be listed.
"""

import dataclasses
import typing
import urllib.parse

from trove import errors
from trove.storage import account
from trove.storage.vault import names
from trove.storage.vault.protocol import Before, Signed, Stored, nothing

OWN = 60
"""Seconds for which a request of our own is signed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A container, its account's address, and what it was lent by.

    ``guests`` replaces the address's scheme, host and port, where guests reach it
    otherwise.
    """

    endpoint: str
    container: str
    key: str = dataclasses.field(repr=False)
    guests: str = ""


class Container(typing.Protocol):
    """What is done in it. Names are those of ``vault.names``.

    Every method raises ``errors.Unavailable`` when the store does not answer,
    ``errors.Forbidden`` when it is not lent any more, ``errors.Upstream`` otherwise.
    """

    def writes(self, name: str, seconds: int) -> Signed:
        """A PUT of this object, for so long."""
        ...

    def reads(self, name: str, seconds: int, first: int, size: int) -> Signed:
        """A GET of so many bytes of this object, for so long."""
        ...

    def find(self, name: str) -> Stored | None:
        """An object as the store has it; None where there is none."""
        ...

    def get(self, name: str, most: int) -> bytes:
        """All of an object; ``errors.NotFound`` where there is none,
        ``errors.Upstream`` where it is larger than ``most``."""
        ...

    def delete(self, name: str) -> bool:
        """It is not there any more; whether it was."""
        ...

    def close(self) -> None:
        """Ends the connections."""
        ...


class Borrow(typing.Protocol):
    """Opens what was lent; ``before`` is called before each request."""

    def __call__(self, place: Place, before: Before) -> Container: ...


class Lent:
    """A container of Swift's, by its URLs (TempURL)."""

    def __init__(
        self, place: Place, before: Before = nothing, verify: bool | str = True
    ) -> None:
        self._account = account.Account(
            place.endpoint,
            account.given(""),
            verify,
            f"the container {place.container}, which was lent for this, any more",
            before,
        )
        self._place = place

    def close(self) -> None:
        """Ends the connections."""
        self._account.close()

    def writes(self, name: str, seconds: int) -> Signed:
        """A PUT of this object, for so long, as a guest reaches it."""
        return Signed(self._url("PUT", name, seconds))

    def reads(self, name: str, seconds: int, first: int, size: int) -> Signed:
        """A GET of this object, of which a guest is told which bytes to ask for."""
        some = {"Range": f"bytes={first}-{first + size - 1}"}
        return Signed(self._url("GET", name, seconds), some)

    def find(self, name: str) -> Stored | None:
        """Its size, and the MD5 that the store itself computed of a plain object."""
        said = self._account.ask("HEAD", self._signed("HEAD", name), ok=(200, 404))
        if said.status_code == 404:
            return None
        md5 = said.headers.get("Etag", "").strip('"')
        return Stored(name, int(said.headers.get("Content-Length", -1)), md5)

    def get(self, name: str, most: int) -> bytes:
        """All of an object, of which no more is read than ``most``."""
        path = self._signed("GET", name)
        with self._account.ask("GET", path, ok=(200, 404), stream=True) as said:
            if said.status_code == 404:
                raise errors.NotFound(what="Object", id=name)
            return account.body(said, name, most)

    def delete(self, name: str) -> bool:
        """Whether it was there."""
        path = self._signed("DELETE", name)
        return self._account.ask("DELETE", path, ok=(204, 404)).status_code == 204

    def _url(self, verb: str, name: str, seconds: int) -> str:
        base, _ = self._account.address(self._place.guests)
        return f"{base}/{self._signed(verb, name, seconds)}"

    def _signed(self, verb: str, name: str, seconds: int = OWN) -> str:
        """The path of a request that the key allows, from the account."""
        names.checked(name)
        container = self._place.container
        _, path = self._account.address("")
        what = f"{path}/{container}/{name}"
        query = account.signature(self._place.key, verb, what, seconds)
        there = account.below(container, name)
        return f"{there}?{urllib.parse.urlencode(query)}"
