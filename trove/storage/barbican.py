# SPDX-License-Identifier: Apache-2.0
"""Barbican, as far as a secret is read: with the caller's own token.

What a user wrote is never an address that is asked: of a reference only the id is
taken, and only where the rest of it is the catalogue's own. So the token goes nowhere
else.
"""

import re
import time
import typing
import urllib.parse
import uuid

import requests

from trove import errors

CONNECT, READ = 5.0, 10.0
"""Seconds to wait for a connection, and for the next bytes."""
PATIENCE = 20.0
"""Seconds for all of a secret."""
BLOCK = 4096
SECRET = re.compile(r"/v1/secrets/([0-9a-fA-F-]{36})/?")

BINARY, TEXT = "application/octet-stream", "text/plain"


class KeyManager:
    """One project's secrets. ``addresses``: the catalogue's, of which the first is
    asked; a reference may begin with any of them."""

    def __init__(
        self,
        addresses: typing.Sequence[str],
        token: str,
        verify: bool | str = True,
        clock: typing.Callable[[], float] = time.monotonic,
    ) -> None:
        self._bases = [_base(address) for address in addresses]
        self._clock = clock
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy that an operator did not name
        self._session.verify = verify
        self._session.headers.update(
            # bytes as they are: nothing that swells when it is unpacked
            {"X-Auth-Token": token, "Accept-Encoding": "identity"}
        )

    def close(self) -> None:
        """Ends the connections."""
        self._session.close()

    def secret(self, what: str, reference: str, kind: str, most: int) -> bytes:
        """The payload; ``what`` is the name of the reference in messages."""
        id = self._id(what, reference)
        try:
            with self._session.get(
                f"{self._bases[0]}/v1/secrets/{id}/payload",
                headers={"Accept": kind},
                timeout=(CONNECT, READ),
                allow_redirects=False,
                stream=True,
            ) as said:
                _judge(said.status_code, what, kind)
                return self._payload(said, what, most)
        except (requests.RequestException, OSError) as error:
            raise errors.Unavailable(what="The key manager") from error

    def _payload(self, said: requests.Response, what: str, most: int) -> bytes:
        until, found = self._clock() + PATIENCE, bytearray()
        for block in said.iter_content(BLOCK):
            found += block
            if len(found) > most:
                raise errors.Invalid(f"What {what} refers to is larger than {most} B.")
            if self._clock() > until:
                raise errors.Unavailable(what="The key manager")
        return bytes(found)

    def _id(self, what: str, reference: str) -> str:
        """Of a reference to one of the catalogue's addresses, or an id by itself."""
        if _is_id(reference):
            return reference.lower()
        for base in self._bases:
            if id := _below(base, reference):
                return id
        raise errors.Invalid(
            f"{what} must be the id of a secret, or its address at the key manager of "
            "the catalogue."
        )


def _judge(status: int, what: str, kind: str) -> None:
    """What an answer without the payload means to the caller."""
    if status == 200:
        return
    if status in (401, 403, 404, 410):
        raise errors.Invalid(f"What {what} refers to is no secret that you may read.")
    if status == 406:
        raise errors.Invalid(f"What {what} refers to is not {kind}.")
    raise errors.Upstream(why=f"the key manager answered {status}")


def _base(address: str) -> str:
    """An endpoint with or without its version."""
    return address.rstrip("/").removesuffix("/v1")


def _below(base: str, reference: str) -> str | None:
    if not reference.isascii() or not reference.isprintable():
        return None
    try:
        ours, theirs = _where(base), _where(reference)
    except ValueError:
        return None
    if theirs[:3] != ours[:3] or not theirs[3].startswith(ours[3]):
        return None
    found = SECRET.fullmatch(theirs[3][len(ours[3]) :])
    return found[1].lower() if found and _is_id(found[1]) else None


def _where(address: str) -> tuple[str, str, int | None, str]:
    parts = urllib.parse.urlsplit(address)
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("more than an address")
    ports = {"http": 80, "https": 443}
    if parts.scheme not in ports:
        raise ValueError("no address of HTTP")
    return (
        parts.scheme,
        parts.hostname or "",
        parts.port or ports[parts.scheme],
        parts.path,
    )


def _is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
