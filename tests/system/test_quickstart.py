# SPDX-License-Identifier: Apache-2.0
"""What a newcomer sees: start, status, down, up again with the data."""

import os
import pathlib
import subprocess
import sys
import time

import pytest

from tests.system.deployment import Deployment, User, ask, passwords

pytestmark = [pytest.mark.root, pytest.mark.localcloud]


def connections(deployment: Deployment, demo: User):
    for kept in passwords(deployment.place).values():
        shown = demo.wait(kept["id"])
        yield demo.connect(shown, kept["user"], kept["password"], "shop")


def test_the_first_start_tells_how_to_go_on(deployment):
    said = deployment.first_start
    for word in ("mariadb --ssl-ca", "psql", "openstack database", "logs:", "HEALTHY"):
        assert word in said


def test_data_outlives_down_and_up(deployment, demo):
    for number, connection in enumerate(connections(deployment, demo)):
        with connection:
            ask(connection, "CREATE TABLE kept (n INT)")
            ask(connection, f"INSERT INTO kept VALUES ({number})")
    deployment.quickstart("--down")
    with pytest.raises(ConnectionError):
        deployment.processes()
    began = time.monotonic()
    deployment.quickstart("--up")
    for number, connection in enumerate(connections(deployment, demo)):
        with connection:
            assert ask(connection, "SELECT n FROM kept")[0][0] == number
    assert time.monotonic() - began < 150


def test_a_second_start_finds_everything_running(deployment):
    before = {name: one["pid"] for name, one in deployment.processes().items()}
    said = deployment.quickstart()
    after = {name: one["pid"] for name, one in deployment.processes().items()}
    assert before == after
    assert "starting the cloud" not in said


def test_a_version_more_is_an_instance_more(deployment, demo):
    said = deployment.quickstart("--datastores", "postgresql:17", within=1500)
    assert "PostgreSQL 17." in said and "psql" in said
    kept = passwords(deployment.place)["demo-postgresql-17"]
    with demo.connect(
        demo.wait(kept["id"]), kept["user"], kept["password"], "shop"
    ) as line:
        assert ask(line, "SHOW server_version")[0][0].startswith("17.")
    before = set(passwords(deployment.place))
    deployment.quickstart("--datastores", "postgresql:17")
    assert set(passwords(deployment.place)) == before
    assert demo.ask("DELETE", f"/instances/{kept['id']}").status_code == 202
    demo.gone(kept["id"])


def test_status_shows_processes_and_instances(deployment):
    said = deployment.quickstart("--status")
    for word in ("keystone", "taskmanager-2", "demo-mariadb", "demo-postgresql"):
        assert word in said


def test_another_one_on_the_same_ports_is_refused_before_it_changes_anything(
    deployment, tmp_path
):
    place = deployment.place
    done = subprocess.run(
        [
            *(sys.executable, "-m", "trove.cmd.quickstart"),
            *("--state-dir", str(tmp_path / "new"), "--tag", "tsz"),
            *("--cache-dir", str(place.cache)),
            *("--cidr", place.cidr, "--ports", str(place.ports)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Port" in done.stderr
    assert not (tmp_path / "new").exists()


def test_the_command_line_client_works(deployment):
    client = pathlib.Path(sys.executable).with_name("openstack")
    done = subprocess.run(
        [client, *("database", "instance", "list", "-f", "value", "-c", "Name")],
        env={
            **os.environ,
            "OS_CLIENT_CONFIG_FILE": str(deployment.place.clouds_yaml),
            "OS_CLOUD": "demo",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert {"demo-mariadb", "demo-postgresql"} <= set(done.stdout.split()), done.stderr
