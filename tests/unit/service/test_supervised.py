# SPDX-License-Identifier: Apache-2.0
"""One supervised process: readiness, identity by start time, its environment."""

import http.server
import os
import signal
import socket
import sys
import threading

import pytest

from trove.service.supervised import Child, Program, Ready, start_time

SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")


def test_a_program_survives_its_file():
    told = Program(
        "a", ("x", "y"), env={"A": "1"}, after=("b",), ready=Ready(argv=("true",))
    )
    import json

    again = Program.from_dict(json.loads(json.dumps(told.to_dict())))
    assert again == told
    assert again.digest() == told.digest()
    assert Program("a", ("x", "z")).digest() != told.digest()


def test_an_unknown_key_is_an_error():
    with pytest.raises(TypeError):
        Program.from_dict({"name": "a", "argv": ["x"], "colour": "red"})


def test_readiness_by_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert Ready(tcp=f"127.0.0.1:{port}").met({})
    assert not Ready(tcp=f"127.0.0.1:{port}").met({})


def test_readiness_by_answer():
    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(503 if self.path == "/ill" else 300)
            self.end_headers()

        def log_message(self, *_arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert Ready(http=url).met({})
        assert not Ready(http=f"{url}/ill").met({})
        server.shutdown()
    assert not Ready(http=url).met({})


def test_readiness_by_file_and_by_program(tmp_path):
    assert not Ready(file=str(tmp_path / "x")).met({})
    assert Ready(file=str(tmp_path)).met({})
    assert Ready(argv=("true",)).met({"PATH": os.environ["PATH"]})
    assert not Ready(argv=("false",)).met({"PATH": os.environ["PATH"]})
    assert not Ready(argv=("/no/such/program",)).met({})
    assert Ready().met({})


def test_a_child_is_known_by_number_and_start_time(tmp_path):
    child = Child.spawn(Program("a", SLEEPER), tmp_path / "a.log")
    try:
        assert child.ended() is None
        assert child.started == start_time(child.pid)
        found = Child.found(child.pid, child.started)
        assert found is not None and found.ended() is None
        assert Child.found(child.pid, child.started - 1) is None
    finally:
        child.signal(signal.SIGKILL)
    assert child._popen is not None
    assert child._popen.wait(10) == -signal.SIGKILL
    assert found.ended() == 0
    child.signal(signal.SIGTERM)  # nobody is there: no error


def test_only_a_few_variables_are_passed_on(monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_SHELL", "x")
    environ = Program("a", ("x",), env={"OWN": "1"}).environ()
    assert "SECRET_OF_THE_SHELL" not in environ
    assert environ["OWN"] == "1"
    assert environ["PATH"] == os.environ["PATH"]
