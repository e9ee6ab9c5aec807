# SPDX-License-Identifier: Apache-2.0
"""Projects do not see each other; readers change nothing; guests reach nothing."""

import json

import pytest

from tests.system.deployment import User

pytestmark = [pytest.mark.root, pytest.mark.localcloud]


@pytest.fixture(name="id")
def an_instance_of_demo(demo):
    rows = demo.ask("GET", "/instances").json()["instances"]
    return next(row["id"] for row in rows if row["name"] == "demo-mariadb")


def test_another_project_finds_nothing(deployment, other, id):
    """INV-18, S7."""
    for method, path, body in (
        ("GET", f"/instances/{id}", None),
        ("PUT", f"/instances/{id}", {"instance": {"name": "mine"}}),
        ("PATCH", f"/instances/{id}", {"instance": {"name": "mine"}}),
        ("DELETE", f"/instances/{id}", None),
        ("POST", f"/instances/{id}/action", {"restart": {}}),
        ("POST", f"/instances/{id}/action", {"reset_status": {"force_delete": 1}}),
        ("GET", "/instances/demo-mariadb", None),
    ):
        answer = other.ask(method, path, body)
        assert answer.status_code == 404, (method, path, answer.status_code)
    assert other.ask("GET", "/instances").json() == {"instances": []}


def test_another_projects_path_is_forbidden(deployment, demo, other, id):
    theirs = demo.api.get_endpoint_data().url
    answer = other.api.get(f"{theirs}/instances/{id}")
    assert answer.status_code == 403


def test_a_reader_reads(deployment, id):
    reader = User(deployment, "reader")
    assert reader.show(id) is not None
    for method, path, body in (
        ("DELETE", f"/instances/{id}", None),
        ("PUT", f"/instances/{id}", {"instance": {"name": "x"}}),
        ("POST", f"/instances/{id}/action", {"restart": {}}),
        ("POST", "/instances", {"instance": {"name": "x", "flavorRef": 1}}),
    ):
        assert reader.ask(method, path, body).status_code == 403, (method, path)


PROBE = """
import json, socket, sys
found = {}
for name, (host, port) in json.load(sys.stdin).items():
    line = socket.socket(); line.settimeout(2)
    try:
        line.connect((host, port)); found[name] = "open"
    except OSError as error:
        found[name] = "closed"
    finally:
        line.close()
print(json.dumps(found))
"""


def test_a_guest_reaches_the_broker_and_nothing_else(deployment, demo, id):
    place = deployment.place
    rows = demo.ask("GET", "/instances").json()["instances"]
    neighbour = next(row for row in rows if row["id"] != id)
    port = {"mariadb": 3306, "postgresql": 5432}[neighbour["datastore"]["type"]]
    targets = {
        "broker": (place.host_address, place.guests_amqp_port),
        "management of the broker": (place.host_address, place.broker_http_port),
        "control plane's broker": (place.host_address, place.amqp_port),
        "api": (place.host_address, place.api_port),
        "keystone": (place.host_address, place.keystone_port),
        "cloud": (place.host_address, place.cloud_port),
        "the host's ssh": (place.host_address, 22),
        "a neighbour's database": (neighbour["ip"][0], port),
    }
    said = deployment.inside(
        id, "/usr/bin/python3", "-c", PROBE, input=json.dumps(targets)
    )
    found = json.loads(said)
    assert found.pop("broker") == "open"
    assert set(found.values()) == {"closed"}, found
