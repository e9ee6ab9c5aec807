# SPDX-License-Identifier: Apache-2.0
"""Databases, users, grants and root of a running database: whoever asks can log in.

Over HTTP to real guests, and proved by a client of the database over TLS (S5, S23).
"""

import contextlib
import signal
import time
import urllib.parse

import psycopg
import pymysql
import pytest

from tests.system.deployment import VERSIONS, ask, until

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

REFUSED = (pymysql.err.OperationalError, psycopg.OperationalError)
GONE = (*REFUSED, pymysql.err.Error, psycopg.Error)
"""What a session that was sent away meets."""
AWKWARD = "a b'c\"d\\e`f%g/Ω"
SILENT_WITHIN = 60.0
"""Seconds in which a request to a guest that does not answer must end."""


@pytest.fixture(scope="module", params=VERSIONS)
def served(request, deployment, demo):
    """An instance that serves, with its owner."""
    id = demo.create(request.param, f"accounts-{request.param}")
    yield Served(deployment, demo, demo.wait(id))
    demo.delete(id)
    demo.gone(id)


class Served:
    """The owner's requests to one instance, and logins to its database."""

    def __init__(self, deployment, demo, shown):
        self.deployment, self.demo, self.shown = deployment, demo, shown
        self.id = shown["id"]

    def ask(self, method, path, body=None, status=None):
        answer = self.demo.ask(method, f"/instances/{self.id}/{path}", body)
        if status is not None:
            assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def make(self, name, password, *databases):
        if databases:
            body = {"databases": [{"name": each} for each in databases]}
            self.ask("POST", "databases", body, 202)
        granted = [{"name": each} for each in databases]
        user = {"name": name, "password": password, "databases": granted}
        self.ask("POST", "users", {"users": [user]}, 202)

    def login(self, name, password, database):
        return self.demo.connect(self.shown, name, password, database)

    def enters(self, name, password, database):
        try:
            with self.login(name, password, database) as line:
                return ask(line, "SELECT 1")[0][0] == 1
        except REFUSED:
            return False

    def remove(self, name, *databases):
        self.ask("DELETE", f"users/{quoted(name)}", status=202)
        for each in databases:
            self.ask("DELETE", f"databases/{quoted(each)}", status=202)


def quoted(text):
    return urllib.parse.quote(text, safe="")


def test_a_user_that_was_made_enters_and_one_that_was_deleted_does_not(served):
    name, password = AWKWARD, AWKWARD[::-1]
    served.make(name, password, AWKWARD)
    with served.login(name, password, AWKWARD) as line:
        ask(line, "CREATE TABLE t (n INT)")
    listed = served.ask("GET", "users", status=200)["users"]
    assert {"name": name, "host": "%", "databases": [{"name": AWKWARD}]} in listed
    assert {"name": AWKWARD} in served.ask("GET", "databases", status=200)["databases"]
    served.remove(name, AWKWARD)
    assert not served.enters(name, password, AWKWARD)
    assert served.ask("GET", f"users/{quoted(name)}", status=404)
    assert {"name": AWKWARD} not in served.ask("GET", "databases")["databases"]


def test_a_password_is_changed_and_the_old_one_is_worth_nothing(served):
    served.make("pat", "the old one", "patio")
    new = {"users": [{"name": "pat", "password": "the new one"}]}
    served.ask("PUT", "users", new, 202)
    assert served.enters("pat", "the new one", "patio")
    assert not served.enters("pat", "the old one", "patio")
    served.ask("PUT", "users/pat", {"user": {"name": "patricia"}}, 202)
    assert served.enters("patricia", "the new one", "patio")
    assert not served.enters("pat", "the new one", "patio")
    served.remove("patricia", "patio")


def test_a_grant_that_was_taken_back_opens_nothing(served):
    served.make("greta", "let me in", "one", "two")
    assert served.enters("greta", "let me in", "one")
    served.ask("DELETE", "users/greta/databases/one", status=202)
    assert not served.enters("greta", "let me in", "one")
    assert served.enters("greta", "let me in", "two")
    granted = served.ask("GET", "users/greta/databases", status=200)
    assert granted == {"databases": [{"name": "two"}]}
    served.ask("PUT", "users/greta/databases", {"databases": [{"name": "one"}]}, 202)
    assert served.enters("greta", "let me in", "one")
    served.remove("greta", "one", "two")


def test_root_is_had_once_and_sent_away(served):
    """S23: told once, remembered for good, and gone from the database when disabled."""
    served.make("olga", "hers", "garden")
    before = served.ask("GET", "root", status=200)
    assert before == {"rootEnabled": False}
    root = served.ask("POST", "root", status=200)["user"]
    assert root["name"] == "root"
    with served.login("root", root["password"], "garden") as line:
        ask(line, "CREATE TABLE of_root (n INT)")
        assert served.ask("GET", "root") == {"rootEnabled": True}
        served.ask("DELETE", "root", status=204)
        with pytest.raises(GONE):  # who is in is sent away
            ask(line, "INSERT INTO of_root VALUES (1)")
            ask(line, "SELECT 1")
    assert not served.enters("root", root["password"], "garden")
    assert served.ask("GET", "root") == {"rootEnabled": False}
    assert "root" not in {u["name"] for u in served.ask("GET", "users")["users"]}
    served.remove("olga", "garden")


def test_what_the_guest_refuses_changes_nothing(served):
    served.make("una", "only", "unit")
    users = [
        {"name": "new", "password": "p", "databases": [{"name": "unit"}]},
        {"name": "una", "password": "another"},
    ]
    served.ask("POST", "users", {"users": users}, 400)
    assert served.ask("GET", "users/new", status=404)
    assert served.enters("una", "only", "unit")
    for reserved in ("postgres", "os_admin", "trove", "mysql.sys", "root"):
        answer = served.demo.ask("DELETE", f"/instances/{served.id}/users/{reserved}")
        assert answer.status_code in (400, 404), answer.text
    served.remove("una", "unit")


def test_nobody_else_sees_or_changes_an_account(served, other):
    served.make("secret", "one", "vault")
    for method, path, body in (
        ("GET", "users", None),
        ("GET", "databases", None),
        ("GET", "users/secret", None),
        ("GET", "root", None),
        ("POST", "root", None),
        ("DELETE", "users/secret", None),
        ("DELETE", "databases/vault", None),
        ("PUT", "users", {"users": [{"name": "secret", "password": "x"}]}),
    ):
        answer = other.ask(method, f"/instances/{served.id}/{path}", body)
        assert answer.status_code == 404, (method, path, answer.text)
    assert served.enters("secret", "one", "vault")
    served.remove("secret", "vault")


def test_pages_give_each_name_once(served):
    names = sorted(f"page {n}%&@/" for n in range(7))
    body = {"databases": [{"name": each} for each in names]}
    served.ask("POST", "databases", body, 202)
    seen, query = [], "?limit=3"
    while query:
        page = served.ask("GET", f"databases{query}", status=200)
        seen += [each["name"] for each in page["databases"]]
        links = [x["href"] for x in page.get("links", ()) if x["rel"] == "next"]
        query = "?" + urllib.parse.urlsplit(links[0]).query if links else ""
    assert [each for each in seen if each in names] == names
    assert len(seen) == len(set(seen))
    for each in names:
        served.ask("DELETE", f"databases/{quoted(each)}", status=202)


def test_a_silent_guest_is_told_of_and_what_was_asked_is_not_done_later(served):
    """The agent stands still; the database serves on (INV-15)."""
    served.make("ida", "hers", "isle")
    agent = served.deployment.inside(
        served.id, "systemctl", "show", "-P", "MainPID", "trove-guestagent.service"
    ).strip()
    with stopped(served, agent):
        begun = time.monotonic()
        late = {"users": [{"name": "late", "password": "p"}]}
        told = served.ask("POST", "users", late, 503)
        assert time.monotonic() - begun < SILENT_WITHIN
        assert told["serviceUnavailable"]["code"] == 503
        assert served.enters("ida", "hers", "isle")
    until(
        "the guest answers again",
        lambda: (
            served.demo.ask("GET", f"/instances/{served.id}/users").status_code == 200
        ),
    )
    assert served.ask("GET", "users/late", status=404)
    served.demo.wait(served.id)
    served.remove("ida", "isle")


@contextlib.contextmanager
def stopped(served, agent):
    served.deployment.inside(served.id, "kill", f"-{signal.SIGSTOP.name[3:]}", agent)
    try:
        yield
    finally:
        served.deployment.inside(
            served.id, "kill", f"-{signal.SIGCONT.name[3:]}", agent
        )
