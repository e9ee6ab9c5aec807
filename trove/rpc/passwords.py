# SPDX-License-Identifier: Apache-2.0
"""Broker passwords: made anywhere, and hashed the way RabbitMQ keeps them.

A guest sends the hash of the password it made up; the password itself never leaves it.
"""

import base64
import binascii
import hashlib
import os
import re
import secrets

from trove import errors

_SALT = 4
_SHA256 = 32


def new_password() -> str:
    """256 random bits, of characters that any URL and configuration file can hold."""
    return secrets.token_urlsafe(32)


def hash_password(password: str) -> str:
    """RabbitMQ's ``rabbit_password_hashing_sha256``: base64(salt + SHA-256)."""
    salt = os.urandom(_SALT)
    digest = hashlib.sha256(salt + password.encode()).digest()
    return base64.b64encode(salt + digest).decode()


def check_hash(password_hash: str) -> None:
    """``errors.Invalid`` unless this is the form of ``hash_password``.

    An empty hash would be worse than a wrong one: the broker takes it as "no password".
    """
    try:
        raw = base64.b64decode(password_hash, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != _SALT + _SHA256 or not re.fullmatch(r"[\w+/=]+", password_hash):
        raise errors.Invalid(why="password_hash is not a salted SHA-256")
