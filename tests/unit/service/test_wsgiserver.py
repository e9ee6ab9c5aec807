# SPDX-License-Identifier: Apache-2.0
"""The API's server under both backends: it serves, drains, replaces, speaks TLS."""

import concurrent.futures
import datetime
import http.client
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from trove.service import wsgiserver

SERVER = """
import sys
from trove.service import concurrency
concurrency.prepare(sys.argv[1:3], "trove-api")
import os, time
from trove.service import wsgiserver

def load():
    def application(environ, start):
        if environ["PATH_INFO"] == "/slow":
            mark = ready + ".begun-" + environ["QUERY_STRING"]
            open(mark, "w").close()
            time.sleep(1.5)
        start("200 OK", [("Content-Type", "text/plain")])
        return [str(os.getpid()).encode()]
    return application

port, ready, pem = sys.argv[3:6]
sys.exit(wsgiserver.serve(load, wsgiserver.Listen(
    port=int(port), workers=2, drain=10.0, ready_file=ready,
    certificate=pem or None, key=pem or None)))
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def self_signed(path: pathlib.Path) -> pathlib.Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


class Served:
    """A server in a process of its own."""

    def __init__(self, folder: pathlib.Path, backend: str, pem: str = "") -> None:
        config = folder / "trove.conf"
        config.write_text(f"[DEFAULT]\nconcurrency_backend = {backend}\n")
        self.port, self.pem = free_port(), pem
        self.ready = folder / "ready"
        self.log = (folder / "log").open("wb")
        arguments = ["--config-file", str(config), str(self.port), str(self.ready), pem]
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, *arguments],
            stdout=self.log,
            stderr=self.log,
            cwd=pathlib.Path(__file__).parents[3],
        )
        end = time.monotonic() + 60
        while not self.ready.exists():
            assert self.process.poll() is None and time.monotonic() < end
            time.sleep(0.05)

    def get(self, path: str = "/") -> str:
        if self.pem:
            context = ssl.create_default_context(cafile=self.pem)
            connection = http.client.HTTPSConnection(
                "localhost", self.port, timeout=20, context=context
            )
        else:
            connection = http.client.HTTPConnection("localhost", self.port, timeout=20)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            assert answer.status == 200
            return answer.read().decode()
        finally:
            connection.close()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        self.log.close()


@pytest.fixture(params=["threading", "eventlet"])
def backend(request):
    return request.param


@pytest.fixture
def served(tmp_path, backend):
    server = Served(tmp_path, backend)
    yield server
    server.end()


def test_a_request_that_was_begun_is_answered_after_sigterm(served):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(served.get, f"/slow?{n}") for n in range(4)]
        end = time.monotonic() + 20
        while len(list(served.ready.parent.glob("ready.begun-*"))) < 4:
            assert time.monotonic() < end, "they have not begun"
            time.sleep(0.02)
        served.process.send_signal(signal.SIGTERM)
        assert all(answer.result().isdigit() for answer in answers)
    assert served.process.wait(30) == 0
    assert not served.ready.exists()
    with pytest.raises(OSError):
        served.get()


def test_a_worker_that_dies_is_replaced(served):
    victim = int(served.get())
    assert victim != served.process.pid
    os.kill(victim, signal.SIGKILL)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            assert int(served.get()) != victim
            break
        except OSError:
            time.sleep(0.1)
    assert served.process.poll() is None


def test_tls(tmp_path, backend):
    server = Served(tmp_path, backend, str(self_signed(tmp_path / "server.pem")))
    try:
        assert server.get().isdigit()
    finally:
        server.end()
    assert server.process.returncode == 0


def test_an_answer_of_two_packets_does_not_wait_for_an_acknowledgement():
    """Accepted connections have it from their listener, on Linux."""
    with (
        wsgiserver.Listen(port=0).socket() as listener,
        socket.create_connection(listener.getsockname()),
    ):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
