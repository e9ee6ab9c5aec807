# SPDX-License-Identifier: Apache-2.0
"""Signing: a guest obeys its taskmanagers, and nobody who only has the broker.

Ed25519 over the guest, the method and the arguments. Whoever takes the broker, or the
conductor, can read a command and send it again, and neither changes nor invents one.
Sent again it is the same job, which the guest's ledger never takes for a new one.
"""

import base64
import json
import pathlib
import typing

from nacl import encoding, exceptions, signing

from trove import errors
from trove.rpc import sealing

SIZE = 32
"""Bytes of a key, private or public."""

Arguments = dict[str, typing.Any]


def _said(guest: str, method: str, arguments: Arguments) -> bytes:
    """What is signed: the same bytes on both sides of the wire's JSON."""
    return json.dumps(
        ["trove-command", guest, method, arguments],
        sort_keys=True,
        separators=(",", ":"),
    ).encode("ascii")


def new_key() -> str:
    """A new private key, base64."""
    return signing.SigningKey.generate().encode(encoding.Base64Encoder).decode()


class Signer:
    """The taskmanagers' end."""

    def __init__(self, key: str) -> None:
        self._key = signing.SigningKey(_key(key))

    @classmethod
    def load(cls, path: pathlib.Path) -> "Signer":
        """From a file that holds one key; ``errors.Invalid`` if it does not."""
        return cls(path.read_text(encoding="ascii").strip())

    @property
    def public(self) -> str:
        """What guests are born with, base64."""
        return self._key.verify_key.encode(encoding.Base64Encoder).decode()

    def sign(self, guest: str, method: str, arguments: Arguments) -> str:
        """The signature of a command, base64."""
        said = self._key.sign(_said(guest, method, arguments))
        return base64.b64encode(said.signature).decode()


class Verifier:
    """A guest's end."""

    def __init__(self, public: str, guest: str) -> None:
        self._key = signing.VerifyKey(_key(public))
        self._guest = guest

    def check(self, method: str, arguments: Arguments, signature: object) -> None:
        """``errors.Forbidden`` unless a taskmanager said just this to this guest."""
        try:
            if not isinstance(signature, str):
                raise errors.Invalid(why="there is none")
            said = _said(self._guest, method, arguments)
            self._key.verify(said, sealing.unbase64(signature))
        except (errors.Invalid, exceptions.CryptoError, ValueError):
            raise errors.Forbidden(what=f"{method}, unsigned") from None


def _key(text: str) -> bytes:
    key = sealing.unbase64(text)
    if len(key) != SIZE or not any(key):
        raise errors.Invalid(why="the key is not an Ed25519 key")
    return key
