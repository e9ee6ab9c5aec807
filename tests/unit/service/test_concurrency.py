# SPDX-License-Identifier: Apache-2.0
"""The backend is chosen from the configuration before anything else is loaded."""

import pathlib
import subprocess
import sys

import pytest

from trove.service import concurrency

LOOK = """
import sys
from trove.service import concurrency
assert "eventlet" not in sys.modules and "oslo_service" not in sys.modules
print(concurrency.prepare(sys.argv[1:], "trove-test"), concurrency.is_green())
import threading, time
ended = []
threads = [
    threading.Thread(target=lambda: (time.sleep(0.2), ended.append(1)))
    for _ in range(20)
]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(ended), "eventlet" in type(threading.current_thread()).__module__)
import socket
print(socket.socket.__module__)
"""


def run(*arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *arguments],
        capture_output=True,
        text=True,
        cwd=pathlib.Path(__file__).parents[3],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Deprecat" not in done.stderr
    return done.stdout.split("\n")


@pytest.mark.parametrize(
    "asked, got", [("auto", "threading"), ("threading", "threading")]
)
def test_native_threads(tmp_path, asked, got):
    config = tmp_path / "c.conf"
    config.write_text(f"[DEFAULT]\nconcurrency_backend = {asked}\n")
    said = run("--config-file", str(config), "--debug")
    assert said[:3] == [f"{got} False", "20 False", "socket"]


def test_green_threads(tmp_path):
    config = tmp_path / "c.conf"
    config.write_text("[DEFAULT]\nconcurrency_backend = eventlet\n")
    said = run(f"--config-file={config}")
    assert said[0] == "eventlet True"
    assert said[1].startswith("20 ")
    assert said[2].startswith("eventlet")


def test_a_wrong_name_is_refused(tmp_path):
    config = tmp_path / "c.conf"
    config.write_text("[DEFAULT]\nconcurrency_backend = twisted\n")
    with pytest.raises(ValueError, match="twisted"):
        concurrency.choose(["--config-file", str(config)], "trove-test")


def test_other_arguments_are_not_its_business():
    assert concurrency.choose(["--debug", "--log-file", "x"], "t") == "threading"
