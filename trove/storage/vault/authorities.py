# SPDX-License-Identifier: Apache-2.0
"""Whom guests are to believe of an object store, beside those that their image trusts.

A store may have a certificate of an authority that only its cloud knows. Guests are
told of it with what they are granted: it can change, and no image is built anew.
"""

import logging
import pathlib
import re
import ssl

from trove import errors

LOG = logging.getLogger(__name__)

LARGEST = 32 << 10
"""Bytes of certificates: they are in each order. A list of all the public authorities
is several times as large."""
CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----"
)


class NoAuthorities(errors.Internal):
    """A file of authorities cannot be used."""

    sentence = "The CA certificates of {path} cannot be used for guests: {why}."


def told(named: str | None, *ours: str | None) -> str:
    """The certificates (PEM) for guests: those of the file that is ``named``, else
    those of ``ours``, by which we know stores ourselves.

    A file that is named and cannot be used is ``NoAuthorities``; one of ours is left
    out, with a word in the log: it was not said that it is for guests.
    """
    if named:
        return read(named)
    found: list[str] = []
    for path in dict.fromkeys(filter(None, ours)):
        try:
            found.append(read(path))
        except NoAuthorities as unusable:
            LOG.warning("%s", unusable)
    return "".join(found)


def read(path: str) -> str:
    """The certificates of a file, and nothing else that is in it."""
    try:
        data = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise NoAuthorities(path=path, why=type(error).__name__) from None
    text = "".join(f"{one.decode()}\n" for one in CERTIFICATE.findall(data))
    if not text:
        raise NoAuthorities(path=path, why="there are none in it")
    if len(text) > LARGEST:
        raise NoAuthorities(path=path, why=f"they are more than {LARGEST} B")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (OSError, ValueError) as error:
        raise NoAuthorities(path=path, why=type(error).__name__) from None
    return text
