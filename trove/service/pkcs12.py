# SPDX-License-Identifier: Apache-2.0
"""PKCS#12: opened in a process of its own, ``python -m trove.service.pkcs12``.

A file says itself how often its password is hashed, and may say two thousand million
times: whoever opens one that a stranger made needs bounds that hold whatever is in it.
The process has few seconds of a processor and little memory, and leaves no core. File
and password come over its standard input, so that they are in no argument and on no
disk.
"""

import base64
import binascii
import json
import os
import resource
import subprocess
import sys
import threading
import typing

from trove import errors

SECONDS = 5
"""Of a processor: a file of today takes some hundredths of one."""
PATIENCE = 20.0
"""Seconds altogether, on a machine that is busy."""
MEMORY = 1 << 30
MOST = 12
"""Certificates in one file."""
AT_ONCE = 2
"""Files under way in one process: a crowd of bad ones must not have the machine."""
_TURNS = threading.BoundedSemaphore(AT_ONCE)

Opened = tuple[str, list[str]]
"""The private key and the certificates, its own first; all in PEM."""


class Unreadable(errors.Invalid):
    """The file cannot be used."""

    sentence = "The PKCS#12 file cannot be used: {why}."


def opened(data: bytes, password: bytes | None) -> Opened:
    """What is in a file; raises ``Unreadable``."""
    said = {
        "data": _text(data),
        "password": None if password is None else _text(password),
    }
    if not _TURNS.acquire(timeout=PATIENCE):
        raise errors.Unavailable(what="What opens certificates")
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(SECONDS)],
            input=json.dumps(said).encode(),
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            env={name: os.environ[name] for name in KEPT if name in os.environ},
        )
        answer: dict[str, typing.Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise Unreadable(why="it takes too long to open") from None
    except ValueError:
        raise Unreadable(why="it takes too much to open") from None
    finally:
        _TURNS.release()
    if "fault" in answer:
        raise Unreadable(why=answer["fault"])
    return str(answer["key"]), [str(one) for one in answer["certificates"]]


KEPT = ("PATH", "PYTHONPATH", "PYTHONWARNINGS", "LD_LIBRARY_PATH")
"""What of our environment the process needs to be the same program."""


def read(data: bytes, password: bytes | None) -> Opened:
    """The same, in this process."""
    from cryptography import exceptions
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    try:
        found = pkcs12.load_pkcs12(data, password)
        if found.key is None:
            raise Unreadable(why="there is no private key in it")
        if found.cert is None:
            raise Unreadable(why="there is no certificate for its private key in it")
        certificates = [found.cert, *found.additional_certs]
        if len(certificates) > MOST:
            raise Unreadable(why=f"there are more than {MOST} certificates in it")
        key = found.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        encoding = serialization.Encoding.PEM
        texts = [one.certificate.public_bytes(encoding) for one in certificates]
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm):
        # a wrong password and a broken file look the same
        raise Unreadable(why="it is none, or its password is another") from None
    return key.decode(), [text.decode() for text in texts]


def main(seconds: int = SECONDS) -> int:
    """The process."""
    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(what, (most, most))
    try:
        said = json.load(sys.stdin)
        password = said["password"]
        key, certificates = read(
            base64.b64decode(said["data"]),
            None if password is None else base64.b64decode(password),
        )
        answer: dict[str, typing.Any] = {"key": key, "certificates": certificates}
    except Unreadable as unreadable:
        answer = {"fault": unreadable.facts["why"]}
    except (binascii.Error, ValueError, MemoryError):
        answer = {"fault": "it cannot be read"}
    json.dump(answer, sys.stdout)
    return 0


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
