# SPDX-License-Identifier: Apache-2.0
"""A configuration group, from the API to the guest and back."""

from tests.functional.suite.client import until

PATH = "configurations"


def _group(client, **values) -> str:
    body = {"configuration": {"name": "fast", "values": values}}
    answer = client.ask("POST", PATH, body)
    assert answer.status == 200, answer.body
    return answer.json["configuration"]["id"]


def _has(client, instance: str, group: str | None) -> int:
    body = {"instance": {"configuration": group}}
    return client.ask("PUT", f"instances/{instance}", body).status


def test_a_group_is_in_force_when_the_answer_comes(deployment, client):
    group = _group(client, wait_timeout=60)
    made = client.create("tuned")
    client.ready(made)
    guest = deployment.fleet.guests[made]
    assert _has(client, made, group) == 202
    assert guest.group == {"wait_timeout": 60}
    assert client.show(made)["configuration"]["id"] == group
    change = {"configuration": {"values": {"max_connections": 99}}}
    assert client.ask("PATCH", f"{PATH}/{group}", change).status == 200
    assert guest.group == {"wait_timeout": 60, "max_connections": 99}
    assert client.state(made) == ("ACTIVE", "HEALTHY")
    assert _has(client, made, None) == 202
    assert guest.group == {}
    assert client.ask("DELETE", f"{PATH}/{group}").status == 202
    client.delete(made)


def test_what_waits_for_a_restart_says_so_until_it_came(deployment, client):
    group = _group(client, performance_schema=True)
    made = client.create("waiting")
    client.ready(made)
    assert _has(client, made, group) == 202
    assert client.state(made) == ("RESTART_REQUIRED", "HEALTHY")
    client.ask("POST", f"instances/{made}/action", {"restart": {}})
    until(lambda: client.state(made) == ("ACTIVE", "HEALTHY"))
    client.delete(made)


def test_a_group_from_the_birth_on(deployment, client):
    group = _group(client, wait_timeout=60)
    made = client.create("born-tuned", configuration=group)
    client.ready(made)
    assert deployment.fleet.guests[made].group == {"wait_timeout": 60}
    assert client.ask("DELETE", f"{PATH}/{group}").status == 400
    client.delete(made)
    assert client.ask("DELETE", f"{PATH}/{group}").status == 202
