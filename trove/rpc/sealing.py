# SPDX-License-Identifier: Apache-2.0
"""Sealing: secrets on their way to one guest, readable by nobody in between.

A sealed box (X25519, XSalsa20-Poly1305): whoever has the guest's public key can seal,
only the guest can open, and a changed bit opens nothing. Broker, queue and journal hold
the sealed text only.
"""

import base64
import binascii
import json
import typing

from nacl import exceptions, public

from trove import errors


def keypair() -> tuple[str, str]:
    """A guest's new key: (private, public), base64."""
    key = public.PrivateKey.generate()
    return _text(bytes(key)), _text(bytes(key.public_key))


def seal(public_key: str, secret: dict[str, typing.Any]) -> str:
    """``secret`` for the holder of the private key alone."""
    box = public.SealedBox(public.PublicKey(_key(public_key)))
    plain = json.dumps(secret, separators=(",", ":")).encode()
    return _text(box.encrypt(plain))


def unseal(private_key: str, sealed: str) -> dict[str, typing.Any]:
    """What was sealed; ``errors.Invalid`` if it was not for us, or was changed."""
    box = public.SealedBox(public.PrivateKey(_key(private_key)))
    try:
        plain = json.loads(box.decrypt(unbase64(sealed)))
    except (exceptions.CryptoError, ValueError):
        raise errors.Invalid(why="the sealed part cannot be opened") from None
    if not isinstance(plain, dict):
        raise errors.Invalid(why="the sealed part is not an object")
    return plain


def check_public_key(text: str) -> None:
    """``errors.Invalid`` unless ``text`` is a key that can be sealed for."""
    _key(text)


def _key(text: str) -> bytes:
    key = unbase64(text)
    if len(key) != public.PublicKey.SIZE or not any(key):
        raise errors.Invalid(why="the key is not an X25519 key")
    return key


def unbase64(text: str) -> bytes:
    """The bytes; ``errors.Invalid`` unless ``text`` is base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise errors.Invalid(why="the text is not base64") from None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
