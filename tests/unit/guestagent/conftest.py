# SPDX-License-Identifier: Apache-2.0
"""A guest in a directory: its places, a toy engine, and a CA that signs for it."""

import contextlib
import os
import pathlib
import select
import signal
import uuid

import pytest

from trove.guestagent import files, identity, state
from trove.guestagent.host import Host
from trove.guestagent.places import Places

HERE = pathlib.Path(__file__).resolve()
ROOT = HERE.parents[3]
TOY = ROOT / "tests/contract/guest/toy"
INSTANCE = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def host():
    return Host()


@pytest.fixture
def places(tmp_path):
    found = Places(tmp_path / "state", tmp_path / "etc", tmp_path / "cloud")
    files.directory(found.state)
    files.directory(found.etc, mode=0o755)
    return found


class Toy:
    """Where a toy engine lives, and what its module is called."""

    def __init__(self, home: pathlib.Path, module: str) -> None:
        self.home = home
        self.module = module

    @property
    def data(self) -> pathlib.Path:
        return self.home / "data"

    def order(self, **orders: str) -> None:
        import json

        (self.home / "orders.json").write_text(json.dumps(orders))

    def obey(self) -> None:
        (self.home / "orders.json").unlink(missing_ok=True)

    @property
    def calls(self) -> list[str]:
        path = self.home / "calls"
        return path.read_text().split() if path.exists() else []

    @property
    def pid(self) -> int:
        return int((self.data / "pid").read_text())

    def kill(self) -> None:
        """Returns when it is dead: until then it may still answer."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            process = os.pidfd_open(self.pid)
            try:
                signal.pidfd_send_signal(process, signal.SIGKILL)
                assert select.select([process], [], [], 10)[0], "it does not die"
            finally:
                os.close(process)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A toy engine of this test's own; its server process dies with the test."""
    module = f"toy_{uuid.uuid4().hex}"
    home = tmp_path / "toy"
    (tmp_path / "modules").mkdir()
    home.mkdir()
    (tmp_path / "modules" / f"{module}.py").write_text(
        "import toyengine\n"
        f"def engine(host):\n    return toyengine.engine(host, {str(home)!r})\n"
    )
    ways = [str(ROOT), str(TOY), str(tmp_path / "modules")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(ways))
    for way in ways[1:]:
        monkeypatch.syspath_prepend(way)
    made = Toy(home, module)
    yield made
    made.obey()
    made.kill()


class Authority:
    """A CA made by openssl, that signs what a guest asks for."""

    def __init__(self, home: pathlib.Path, host: Host) -> None:
        self._host = host
        self._key, self._ca = home / "ca.key", home / "ca.crt"
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        host.run(
            ["openssl", "req", "-x509", *curve, "-keyout", str(self._key)]
            + ["-out", str(self._ca), "-subj", "/CN=test CA", "-days", "30"]
        )

    @property
    def ca(self) -> str:
        return self._ca.read_text()

    def sign(self, csr: str, days: int = 9) -> str:
        signed = self._host.run(
            ["openssl", "x509", "-req", "-CA", str(self._ca), "-CAkey"]
            + [str(self._key), "-CAcreateserial", "-days", str(days)],
            input=csr,
        )
        return signed.stdout


@pytest.fixture
def authority(tmp_path, host):
    home = tmp_path / "ca"
    home.mkdir()
    return Authority(home, host)


@pytest.fixture
def guest(places, toy, host, authority):
    """A guest that has enrolled and is not prepared."""
    made = identity.ensure(places, host, INSTANCE)
    certificate = authority.sign(identity.ask(places, host, INSTANCE))
    identity.keep_certificate(places, host, certificate, authority.ca)
    identity.enrolled(places, made)
    found = state.Guest(INSTANCE, "toy", toy.module, str(toy.data), "nobody")
    state.save_guest(places, found)
    return found
