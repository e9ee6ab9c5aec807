# SPDX-License-Identifier: Apache-2.0
"""Databases, users, grants and root, asked for over HTTP and done in the guest."""

import time


def _asked(client, xml):
    def ask(method, path, body=None):
        answer = client.ask(method, path, body, xml=xml)
        return answer.status, (
            answer.xml if xml else answer.json
        ) if answer.body else {}

    return ask


def _lived(deployment, client, datastore, xml):
    """Everything once, as the user sees it and as the guest has it."""
    made = client.create("accounts", datastore={"type": datastore})
    client.ready(made)
    ask, accounts = _asked(client, xml), deployment.fleet.guests[made].engine.accounts
    where = f"instances/{made}"
    assert ask("POST", f"{where}/databases", {"databases": [{"name": "a b"}]})[0] == 202
    user = {"name": "ann", "password": "p'\"", "databases": [{"name": "a b"}]}
    assert ask("POST", f"{where}/users", {"users": [user]}) == (202, {})
    assert ask("POST", f"{where}/users", {"users": [user]})[0] == 400
    shown = {"name": "ann", "host": "%", "databases": [{"name": "a b"}]}
    assert ask("GET", f"{where}/users") == (200, {"users": [shown]})
    assert accounts.enters("ann", "p'\"", "a b")
    new = {"users": [{"name": "ann", "password": "new"}]}
    assert ask("PUT", f"{where}/users", new) == (202, {})
    assert accounts.enters("ann", "new", "a b")
    assert ask("DELETE", f"{where}/users/ann@%25/databases/a%20b") == (202, {})
    assert not accounts.enters("ann", "new", "a b")
    assert ask("DELETE", f"{where}/users/ann@%25/databases/a%20b")[0] == 404
    status, root = ask("POST", f"{where}/root")
    assert status == 200 and root["user"]["name"] == "root"
    assert accounts.enters("root", root["user"]["password"], "a b")
    assert str(ask("GET", f"{where}/root")[1]["rootEnabled"]) == "True"
    assert ask("DELETE", f"{where}/root") == (204, {})
    assert accounts.root is None
    assert ask("DELETE", f"{where}/databases/a%20b") == (202, {})
    assert ask("GET", f"{where}/databases")[1]["databases"] in ([], "")
    client.delete(made)


def test_accounts_of_mariadb_in_json(deployment, client):
    _lived(deployment, client, "mariadb", False)


def test_accounts_of_postgresql_in_xml(deployment, client):
    _lived(deployment, client, "postgresql", True)


def test_what_was_made_with_the_instance_is_there(client):
    user = {"name": "ann", "password": "p", "databases": [{"name": "shop"}]}
    made = client.create("born-with", databases=[{"name": "shop"}], users=[user])
    client.ready(made)
    found = client.ask("GET", f"instances/{made}/users/ann").json["user"]
    assert found == {"name": "ann", "host": "%", "databases": [{"name": "shop"}]}
    client.delete(made)


def test_a_guest_that_listens_no_more_is_told_of_in_time(deployment, client):
    made = client.create("deaf")
    client.ready(made)
    guest = deployment.fleet.guests[made]
    listener, guest.listener = guest.listener, None
    listener.stop(10)
    begun = time.monotonic()
    for method, path, body in (
        ("GET", "databases", None),
        ("POST", "databases", {"databases": [{"name": "a"}]}),
    ):
        answer = client.ask(method, f"instances/{made}/{path}", body)
        assert answer.status == 503, answer.body
        assert answer.json["serviceUnavailable"]["code"] == 503
    assert time.monotonic() - begun < 60
    assert guest.engine.accounts.names == set()
    client.delete(made)
