# SPDX-License-Identifier: Apache-2.0
"""Column types: a sealed document, whose keys are the process's own.

Sealing is ``cryptography``'s Fernet (AES-128-CBC with HMAC-SHA256, authenticated); the
first key of the key file seals, all of them open, so keys rotate by adding one on top.
"""

import json
import pathlib
import typing

import sqlalchemy as sa
from cryptography import fernet

from trove import errors

_ring: dict[str, fernet.MultiFernet] = {}


def use_keys(path: str | pathlib.Path) -> None:
    """Loads the seal keys, one a line, newest first (``trove-manage key create``)."""
    lines = pathlib.Path(path).read_text(encoding="ascii").split()
    if not lines:
        raise errors.Internal(
            why=f"{path} holds no key; run 'trove-manage key create'."
        )
    _ring["keys"] = fernet.MultiFernet([fernet.Fernet(line) for line in lines])


def use_key(key: bytes) -> None:
    """One key given directly (tests, and one-shot tools)."""
    _ring["keys"] = fernet.MultiFernet([fernet.Fernet(key)])


def _keys() -> fernet.MultiFernet:
    if "keys" not in _ring:
        raise errors.Internal(why="no seal key is loaded; set [database] seal_keys.")
    return _ring["keys"]


class Sealed(sa.types.TypeDecorator[typing.Any]):
    """A JSON value that is unreadable at rest. NULL stays NULL."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> typing.Any:
        if dialect.name in ("mysql", "mariadb"):
            from sqlalchemy.dialects import mysql  # whoever has another needs none

            return mysql.MEDIUMTEXT()  # TEXT ends at 64 KiB there
        return self.impl_instance

    def process_bind_param(self, value: typing.Any, dialect: sa.Dialect) -> str | None:
        if value is None:
            return None
        return _keys().encrypt(json.dumps(value).encode()).decode("ascii")

    def process_result_value(
        self, value: typing.Any, dialect: sa.Dialect
    ) -> typing.Any:
        if value is None:
            return None
        return json.loads(_keys().decrypt(value.encode("ascii")))
