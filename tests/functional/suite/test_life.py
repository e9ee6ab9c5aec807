# SPDX-License-Identifier: Apache-2.0
"""An instance's life as its user sees it, in JSON and in XML."""

from tests.functional.suite.client import until


def _lived(deployment, client, datastore: str) -> None:
    """From nothing to a database with its user, through a restart, to nothing."""
    password = "p'w \"%\\ ü"
    made = client.create(
        "orders",
        datastore={"type": datastore},
        databases=[{"name": "shop"}],
        users=[{"name": "ann", "password": password, "databases": [{"name": "shop"}]}],
    )
    assert client.show(made)["status"] in ("BUILD", "ACTIVE")
    client.ready(made)

    seen = client.show(made)
    assert seen["datastore"]["type"] == datastore
    assert seen["volume"] == {"size": 1, "used": 0.25, "used_percent": 25.0}
    assert seen["ip"] and "fault" not in seen
    assert password not in str(seen)
    guest = deployment.fleet.guests[made]
    assert guest.datastore == datastore
    assert guest.databases == ["shop"]
    assert guest.accounts == {"ann": password}
    assert guest.certificate.startswith("-----BEGIN CERTIFICATE")

    client.ask("POST", f"instances/{made}/action", {"restart": {}})
    until(lambda: "restart_database" in guest.done)
    client.ready(made)

    client.delete(made)
    assert guest.done == ["prepare", "restart_database", "stop_database"]
    assert client.ask("GET", f"instances/{made}").status == 404
    assert deployment.things(made) == []
    assert set(client.usage().values()) == {(0, 0)}


def test_mariadb_from_create_to_gone(deployment, client):
    _lived(deployment, client, "mariadb")


def test_postgresql_from_create_to_gone(deployment, client):
    _lived(deployment, client, "postgresql")


def test_it_comes_back_from_the_recycle_bin_and_goes_for_good(deployment, client):
    made = client.create("orders", databases=[{"name": "shop"}])
    client.ready(made)
    assert client.ask("DELETE", f"instances/{made}?keep=true").status == 202
    until(lambda: made not in client.states())
    volume = [("volume", f"{made}.volume")]
    assert deployment.things(made) == volume
    assert set(client.usage().values()) == {(0, 0)}
    (entry,) = client.ask("GET", "recycled-instances").json["recycled_instances"]
    assert (entry["id"], entry["status"]) == (made, "RECYCLED")

    until(lambda: deployment.fleet.deaf(made))
    path = f"recycled-instances/{made}"
    answer = client.ask("POST", f"{path}/action", {"undelete": {}})
    assert answer.status == 202 and answer.json["instance"]["id"] == made
    client.ready(made)
    guest = deployment.fleet.guests[made]
    assert guest.done == ["prepare"] and guest.databases == []
    assert client.ask("GET", path).status == 404
    assert client.usage()["instances"] == (1, 0)

    assert client.ask("DELETE", f"instances/{made}?keep=1").status == 202
    until(lambda: made not in client.states())
    assert client.ask("DELETE", path).status == 202
    until(lambda: client.ask("GET", path).status == 404)
    assert deployment.things(made) == []


def test_lists_details_and_a_new_name(client):
    one, two = client.create("one"), client.create("two")
    client.ready(one, two)
    answer = client.ask("PATCH", f"instances/{one}", {"instance": {"name": "first"}})
    assert answer.status == 202
    assert client.show(one)["name"] == "first"
    listed = client.ask("GET", "instances").json["instances"]
    detailed = client.ask("GET", "instances/detail").json["instances"]
    assert {each["id"]: each["name"] for each in listed} == {one: "first", two: "two"}
    assert {each["id"] for each in detailed} == {one, two}
    assert all(each["created"] for each in detailed)
    client.delete(one, two)


def test_nobody_sees_the_instances_of_another_project(deployment, client):
    mine = client.create("mine")
    stranger = deployment.client("stranger")
    for method, path, body in (
        ("GET", f"instances/{mine}", None),
        ("DELETE", f"instances/{mine}", None),
        ("PATCH", f"instances/{mine}", {"instance": {"name": "x"}}),
        ("POST", f"instances/{mine}/action", {"restart": {}}),
    ):
        assert stranger.ask(method, path, body).status == 404
    assert stranger.states() == {}
    client.ready(mine)
    client.delete(mine)


def test_deleted_while_it_is_being_built(deployment, client):
    """The guest never speaks: the create waits for it, and gives way."""
    made = client.create("dark")
    until(lambda: made in deployment.fleet.asleep)
    assert client.state(made) == ("BUILD", "")
    assert client.usage()["instances"] == (0, 1)
    client.delete(made)
    assert client.ask("GET", f"instances/{made}").status == 404
    assert deployment.things(made) == []
    assert set(client.usage().values()) == {(0, 0)}


def test_xml_in_and_out(client):
    body = client.order("in-xml", databases=[{"name": "shop"}])
    made = client.ask("POST", "instances", body, xml=True)
    assert made.status == 200, made.body
    assert made.headers["content-type"].startswith("application/xml")
    id = made.xml["instance"]["id"]
    client.ready(id)
    shown = client.ask("GET", f"instances/{id}", xml=True).xml["instance"]
    assert shown["name"] == "in-xml"
    assert (shown["status"], shown["operating_status"]) == ("ACTIVE", "HEALTHY")
    assert shown["volume"]["size"] == "1"
    assert shown["datastore"]["type"] == "mariadb"
    client.delete(id)
