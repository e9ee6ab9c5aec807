# SPDX-License-Identifier: Apache-2.0
"""A larger volume, another flavor: from the API to the cloud and the guest."""

from tests.functional.suite.client import until


def test_a_volume_grows_while_the_database_serves(deployment, client):
    made = client.create("growing")
    client.ready(made)
    guest = deployment.fleet.guests[made]
    before = client.usage()
    body = {"resize": {"volume": {"size": 3}}}
    assert client.ask("POST", f"instances/{made}/action", body).status == 202
    until(lambda: client.state(made) == ("ACTIVE", "HEALTHY"))
    assert client.show(made)["volume"]["size"] == 3
    assert guest.done == ["prepare", "grow_file_system"]
    used, reserved = before["volumes"]
    assert client.usage()["volumes"] == (used + 2, reserved)
    client.delete(made)
    assert set(client.usage().values()) == {(0, 0)}


def test_another_flavor_is_fitted_and_counted(deployment, client):
    made = client.create("fitted")
    client.ready(made)
    guest = deployment.fleet.guests[made]
    body = {"resize": {"flavorRef": "3"}}
    assert client.ask("POST", f"instances/{made}/action", body).status == 202
    until(lambda: client.state(made) == ("ACTIVE", "HEALTHY"))
    assert client.show(made)["flavor"]["id"] == "3"
    jobs = ["prepare", "stop_database", "configure", "restart_database"]
    assert guest.done == jobs
    server = deployment.cloud.made[guest.server]
    assert (server.status, server.order.flavor) == ("ACTIVE", "3")
    assert client.usage()["ram"] == (2048, 0)
    client.delete(made)
    assert set(client.usage().values()) == {(0, 0)}
