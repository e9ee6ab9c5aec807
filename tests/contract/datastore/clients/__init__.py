# SPDX-License-Identifier: Apache-2.0
"""How the suite sees each engine: a module of the datastore's name, with a ``Client``.

Beside what a tenant and an administrator see, it says what the suite is to set, break
and order in this engine: what no two engines have in common.
"""

import importlib
import pathlib
import subprocess
import typing

from cryptography import x509


class Refused(Exception):
    """The server refused a log-in or a statement."""


def known() -> list[str]:
    """The datastores that the suite knows how to look at."""
    here = pathlib.Path(__file__).parent
    return sorted(path.stem for path in here.glob("*.py") if path.stem != "__init__")


def client(datastore: str) -> typing.Any:
    """The class of that datastore's client."""
    return importlib.import_module(f"{__name__}.{datastore}").Client


def shown(port: int, protocol: str) -> str:
    """The serial of the certificate that a server shows, by openssl's own client."""
    said = subprocess.run(
        ["openssl", "s_client", "-starttls", protocol, "-connect", f"127.0.0.1:{port}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
    ).stdout
    start = said.index(b"-----BEGIN CERTIFICATE")
    return f"{x509.load_pem_x509_certificate(said[start:]).serial_number:x}"
