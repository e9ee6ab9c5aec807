# SPDX-License-Identifier: Apache-2.0
"""Logs of real databases, by the command line client: on, published, read, gone."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from tests.system import builds
from tests.system.deployment import ask, until

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

USER = {"name": "ada", "password": "correct horse", "databases": [{"name": "shop"}]}


class Client:
    """``openstack database log``, as somebody of the project runs it."""

    def __init__(self, deployment, cloud="demo"):
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "OS_CLIENT_CONFIG_FILE": str(deployment.place.clouds_yaml),
            "OS_CLOUD": cloud,
        }
        self.program = pathlib.Path(sys.executable).with_name("openstack")

    def __call__(self, *words, code=0):
        ran = subprocess.run(
            [str(self.program), "database", "log", *words],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == code, ran.stdout + ran.stderr
        return ran.stdout

    def rows(self, *words):
        return json.loads(self(*words, "-f", "json"))


def pytest_generate_tests(metafunc):
    if "version" in metafunc.fixturenames:
        every = builds.params(metafunc.config)
        metafunc.parametrize(("datastore", "version"), every)


def test_a_log_is_read_with_the_command_line_client(
    deployment, demo, datastore, version, tmp_path
):
    builds.offer(deployment, datastore, version)
    log = Client(deployment)
    id = demo.create(datastore, f"logged-{datastore}", [USER], version=version)
    shown = demo.wait(id)

    def say(words):
        with demo.connect(shown, USER["name"], USER["password"], "shop") as line:
            ask(line, f"SELECT '{words}'")

    listed = {row["Name"]: row for row in log.rows("list", id)}
    assert listed["general"]["Type"] == "USER"
    assert "guest" not in listed
    log("set", id, "general", "--enable")
    say("the first words")
    until(
        "the log has something",
        lambda: log.rows("show", id, "general")["pending"] > 0,
    )
    done = log.rows("set", id, "general", "--publish")
    assert done["status"] in ("Published", "Partial"), done
    assert done["published"] > 0
    assert done["container"] == "database_logs"
    assert "the first words" in log("tail", id, "general", "--lines", "200")
    say("the second words")
    log("set", id, "general", "--publish")
    saved = tmp_path / "saved.log"
    log("save", id, "general", "--file", str(saved))
    text = saved.read_text()
    assert text.index("the first words") < text.index("the second words")
    assert USER["password"] not in text
    log("set", id, "general", "--disable")
    say("words for nobody")
    log("set", id, "general", "--discard")
    discarded = log.rows("show", id, "general")
    assert discarded["published"] == 0
    demo.delete(id)
    demo.gone(id)


def test_an_administrator_reads_the_agents_own_log(deployment, demo, admin):
    id = demo.create("mariadb", "agentlog", [USER])
    demo.wait(id)
    answer = admin.ask("GET", f"/instances/{id}/log")
    found = {each["name"]: each for each in answer.json()["logs"]}
    assert {"guest", "error", "general", "slow_query"} == set(found)
    assert found["guest"]["type"] == "SYS"
    assert found["guest"]["pending"] > 0
    body = {"name": "guest", "publish": 1}
    answer = admin.ask("POST", f"/instances/{id}/log", body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["log"]["published"] > 0
    assert demo.ask("POST", f"/instances/{id}/log", body).status_code == 404
    demo.delete(id)
    demo.gone(id)
