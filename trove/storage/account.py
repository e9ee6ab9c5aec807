# SPDX-License-Identifier: Apache-2.0
"""An account of Swift over HTTP: requests, lists, and the keys that sign URLs."""

import hmac
import secrets
import time
import typing
import urllib.parse

import requests

from trove import errors
from trove.storage import pages
from trove.storage.vault.protocol import Stored

TIMEOUT = (5.0, 20.0)
"""Seconds to wait for a connection, and for the next bytes."""
KEY = "X-Container-Meta-Temp-URL-Key"
"""Swift shows it to its owner only. There may be a second one (``...-Key-2``), by which
an operator replaces the first while URLs of it are still about."""
PAGE = 1000
BLOCK = 1 << 16
"""Bytes of an answer that are read at once."""


class Token(typing.Protocol):
    """Says who we are; raises this package's errors where it cannot."""

    def __call__(self, *, fresh: bool) -> str:
        """A token; ``fresh``: the one of before is refused."""
        ...


def given(token: str) -> Token:
    """A token that somebody came with: there is no other."""
    return lambda *, fresh: token


class Account:
    """``endpoint`` ends with the account's name (``/v1/AUTH_...``); ``whose`` ends the
    sentence of what is not allowed; ``before`` is called before each request."""

    def __init__(
        self,
        endpoint: str,
        token: Token,
        verify: bool | str,
        whose: str,
        before: typing.Callable[[], object] = lambda: None,
    ) -> None:
        self.endpoint, self._token = endpoint.rstrip("/"), token
        self._whose, self._before = whose, before
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy that an operator did not name
        self._session.verify = verify
        # bytes as they are: nothing that swells when it is unpacked
        self._session.headers["Accept-Encoding"] = "identity"

    def close(self) -> None:
        """Ends the connections."""
        self._session.close()

    def key(self, container: str) -> str:
        """The container is there; the key that URLs below it are signed with."""
        said = self.ask("HEAD", container, ok=(200, 204, 404))
        key = said.headers.get(KEY)
        if said.status_code != 404 and key:
            return str(key)
        key = secrets.token_urlsafe(32)
        self.ask("PUT", container, headers={KEY: key}, ok=(201, 202))
        # another request may have made one meanwhile: what is there now counts
        found = self.ask("HEAD", container, ok=(200, 204)).headers.get(KEY)
        if not found:
            raise errors.Forbidden(what=f"sign URLs of {self._whose}")
        return str(found)

    def renew(self, container: str) -> str:
        """Another key, beside which there is none; what was signed before is void."""
        key = secrets.token_urlsafe(32)
        headers = {KEY: key, f"{KEY}-2": ""}
        self.ask("POST", container, headers=headers, ok=(204,))
        return key

    def address(self, guests: str) -> tuple[str, str]:
        """Where guests reach it, and the path there that a signature is of.

        ``guests`` replaces the scheme, the host and the port, where it is something.
        """
        where = urllib.parse.urlsplit(self.endpoint)
        base = guests or f"{where.scheme}://{where.netloc}"
        return f"{base}{where.path}", urllib.parse.unquote(where.path)

    def listed(self, container: str, prefix: str) -> typing.Iterator[Stored]:
        """What begins with this, in the order of the names."""
        return pages.through(lambda after: self._page(container, prefix, after))

    def delete(self, container: str, prefixes: typing.Iterable[str]) -> None:
        """All that begins with one of these; nothing there is fine."""
        for prefix in prefixes:
            for one in self.listed(container, prefix):
                self.ask("DELETE", below(container, one.name), ok=(200, 204, 404))

    def _page(self, container: str, prefix: str, after: str) -> list[Stored]:
        query = {"prefix": prefix, "format": "json", "limit": PAGE, "marker": after}
        path = f"{container}?{urllib.parse.urlencode(query)}"
        said = self.ask("GET", path, ok=(200, 204, 404))
        if said.status_code != 200:
            return []
        try:
            return [
                Stored(
                    str(row["name"]), int(row.get("bytes", -1)), str(row.get("hash"))
                )
                for row in said.json()
                if "name" in row
            ]
        except (ValueError, TypeError, AttributeError):
            raise errors.Upstream(why="the object store's list is no list") from None

    def ask(
        self,
        verb: str,
        path: str,
        *,
        ok: typing.Container[int],
        headers: dict[str, str] | None = None,
        data: bytes | None = None,
        stream: bool = False,
    ) -> requests.Response:
        """One request and its answer; after a 401, once more with a new token."""
        self._before()
        request = self._session.prepare_request(
            requests.Request(verb, self.endpoint, headers=headers, data=data)
        )
        # requests would take ".." in a name for a step upwards: another's object
        request.url = f"{self.endpoint}/{path}"
        try:
            said = self._answer(request, stream)
        except requests.RequestException as error:
            raise errors.Unavailable(what="The object store") from error
        if said.status_code in ok:
            return said
        said.close()
        if said.status_code in (401, 403):
            raise errors.Forbidden(what=f"use {self._whose}")
        if passes(said.status_code):
            raise errors.Unavailable(what=f"The object store ({said.status_code})")
        raise errors.Upstream(why=f"the object store answered {said.status_code}")

    def _answer(
        self, request: requests.PreparedRequest, stream: bool
    ) -> requests.Response:
        token = self._token(fresh=False)
        said = self._send(request, token, stream)
        if said.status_code != 401:
            return said
        said.close()
        another = self._token(fresh=True)
        return said if another == token else self._send(request, another, stream)

    def _send(
        self, request: requests.PreparedRequest, token: str, stream: bool
    ) -> requests.Response:
        if token:  # else the path itself says what it is allowed by
            request.headers["X-Auth-Token"] = token
        return self._session.send(
            request, timeout=TIMEOUT, allow_redirects=False, stream=stream
        )


def passes(status: int) -> bool:
    """Whether a store that answers so may answer otherwise a little later."""
    return status in (408, 429) or status >= 500


def body(said: requests.Response, name: str, most: int) -> bytes:
    """All of an object that is answered; ``errors.Upstream`` where it is larger."""
    found = bytearray()
    try:
        for block in said.iter_content(BLOCK):
            found += block
            if len(found) > most:
                raise errors.Upstream(why=f"{name} is larger than {most} B")
    except (requests.RequestException, OSError) as error:
        raise errors.Unavailable(what="The object store") from error
    return bytes(found)


def below(container: str, name: str) -> str:
    """The path of an object, from the account."""
    return f"{container}/{urllib.parse.quote(name)}"


def signature(key: str, verb: str, what: str, seconds: int) -> dict[str, object]:
    """The query that lets whoever has it do this until then (Swift's TempURL)."""
    expires = int(time.time()) + seconds
    said = f"{verb}\n{expires}\n{what}"
    return {
        "temp_url_sig": hmac.digest(key.encode(), said.encode(), "sha256").hex(),
        "temp_url_expires": expires,
    }
