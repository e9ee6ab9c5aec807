# SPDX-License-Identifier: Apache-2.0
"""A vault in Swift: a container of the service's own account.

What a URL lets a guest do is signed for one object and one verb (not for a prefix), by
the container's key. How Swift judges such URLs leaves its bearer more than S3 does: one
that writes may write again until it ends, and may say when the object goes
(``X-Delete-After``); either tells by HEAD whether the object is there. And up to
2.38.0 (2.38.2 refuses it) Swift makes the object a copy of any other of the same
container whose name the bearer knows (``X-Copy-From``); of another container it does
not, since the key is this one's.
"""

import hashlib
import typing
import urllib.parse

from trove import errors
from trove.storage import account
from trove.storage.vault import names
from trove.storage.vault.protocol import Before, Signed, Stored, nothing

STAYS = {"X-Remove-Delete-At": "x"}


class Swift:
    """``endpoint`` and ``guests`` as for a project's store (``storage/swift.py``)."""

    def __init__(
        self,
        endpoint: str,
        token: account.Token,
        container: str,
        verify: bool | str = True,
        guests: str = "",
        before: Before = nothing,
    ) -> None:
        self._account = account.Account(
            endpoint, token, verify, "the object store of this service", before
        )
        self._container, self._guests = container, guests
        self._key = ""

    def close(self) -> None:
        """Ends the connections."""
        self._account.close()

    def ensure(self) -> None:
        """The container is there, and its key is known."""
        self._key = self._account.key(self._container)

    def writes(self, name: str, seconds: int) -> Signed:
        """A PUT of this object, for so long."""
        return self._signed("PUT", name, seconds)

    def reads(self, name: str, seconds: int) -> Signed:
        """A GET of this object, for so long."""
        return self._signed("GET", name, seconds)

    def _signed(self, verb: str, name: str, seconds: int) -> Signed:
        names.checked(name)
        if not self._key:
            self.ensure()
        base, path = self._account.address(self._guests)
        what = f"{path}/{self._container}/{name}"
        query = account.signature(self._key, verb, what, seconds)
        return Signed(f"{base}/{self._path(name)}?{urllib.parse.urlencode(query)}")

    def put(self, name: str, data: bytes) -> None:
        """The object is these bytes; Swift compares them with their MD5."""
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        headers = {"Content-Type": "application/octet-stream", "ETag": md5}
        self._account.ask(
            "PUT", self._path(name), headers=headers, data=data, ok=(201,)
        )

    def get(self, name: str, most: int) -> bytes:
        """All of an object, of which no more is read than ``most``."""
        path = self._path(name)
        with self._account.ask("GET", path, ok=(200, 404), stream=True) as said:
            if said.status_code == 404:
                raise errors.NotFound(what="Object", id=name)
            return account.body(said, name, most)

    def listed(self, prefix: str) -> typing.Iterator[Stored]:
        """What begins with this; the MD5 is a plain object's ETag."""
        if prefix:
            names.prefix(prefix)
        return self._account.listed(self._container, prefix)

    def delete(self, prefixes: typing.Iterable[str]) -> None:
        """All that begins with one of these; nothing there is fine."""
        self._account.delete(self._container, list(map(names.prefix, prefixes)))

    def shut(self) -> None:
        """Another key: no URL of before is good any more. And no object has an end that
        the bearer of such a URL gave it."""
        self._key = self._account.renew(self._container)
        for one in self._account.listed(self._container, ""):
            path = account.below(self._container, one.name)
            said = self._account.ask("HEAD", path, ok=(200, 404))
            if "X-Delete-At" in said.headers:
                self._account.ask("POST", path, headers=STAYS, ok=(202,))

    def end(self, prefix: str) -> None:
        """All of it, and the container when it is empty then."""
        self.delete([prefix])
        # a list may lag, and another may be in it still: both are a 409
        self._account.ask("DELETE", self._container, ok=(204, 404, 409))

    def _path(self, name: str) -> str:
        return account.below(self._container, names.checked(name))
