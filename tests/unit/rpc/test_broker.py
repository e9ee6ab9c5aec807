# SPDX-License-Identifier: Apache-2.0
"""The management API: exactly these requests, and failures given their class."""

import http.server
import json
import re
import threading
import typing
import urllib.parse

import pytest

from trove import errors
from trove.rpc import broker
from trove.rpc.broker import Broker

INSTANCE = "0b5e7c1a-0000-4000-8000-00000000000f"


class Management(http.server.BaseHTTPRequestHandler):
    """What the broker's management API does with users and queues, in a dict."""

    things: typing.ClassVar[dict[str, typing.Any]] = {}
    asked: typing.ClassVar[list[str]] = []
    answer: typing.ClassVar[tuple[int, str] | None] = None

    def _reply(self, status: int, body: object = None) -> None:
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _forced(self) -> bool:
        self.asked.append(f"{self.command} {self.path}")
        if self.answer is None:
            return False
        status, text = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()
        self.wfile.write(text.encode())
        return True

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._forced():
            path = self.path
            if "/topic-permissions/" in path:
                path += "#" + body["exchange"]
            self.things[path] = body
            self._reply(204)

    def do_DELETE(self) -> None:
        if not self._forced():
            found = self.things.pop(self.path, None)
            self._reply(204 if found is not None else 404, None if found else {})

    def do_GET(self) -> None:
        if self._forced():
            return
        path = urllib.parse.urlsplit(self.path).path
        if path == "/api/users":
            names = [key.rpartition("/")[2] for key in self.things if "/users/" in key]
            self._reply(200, [{"name": name} for name in names])
        elif path.startswith("/api/queues/"):
            keys = [key for key in self.things if key.startswith(path + "/")]
            items = [
                self.things[key]
                | {"name": urllib.parse.unquote(key.rpartition("/")[2])}
                for key in keys
            ]
            self._reply(200, {"items": items})
        elif path == "/api/user-limits":
            limits = [
                (key.split("/")[-2], key.split("/")[-1], body["value"])
                for key, body in self.things.items()
                if "/user-limits/" in key
            ]
            self._reply(200, [{"user": u, "value": {n: v}} for u, n, v in limits])
        elif path.startswith("/api/connections/username/"):
            self._reply(200, [{"name": "10.0.0.3:1 -> 10.0.0.1:2"}])
        elif path in self.things:
            self._reply(200, self.things[path])
        else:
            self._reply(404, {"error": "Object Not Found"})

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture(name="server")
def management_api():
    Management.things.clear()
    Management.asked.clear()
    Management.answer = None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Management)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(name="client")
def broker_client(server):
    made = Broker(f"http://127.0.0.1:{server.server_port}", "a", "secret", "/guests")
    yield made
    made._session.close()


def test_a_guest_may_do_exactly_this(client):
    client.add_guest("G", "pw")
    own = (
        r"guestagent\.G(\.G|_fanout(_guest-G:trove-guestagent:[0-9]+)?)?"
        r"|reply_guest-G:trove-guestagent:[0-9]+"
    )
    assert Management.things == {
        "/api/users/guest-G": {"password": "pw", "tags": ""},
        "/api/user-limits/guest-G/max-connections": {"value": 10},
        "/api/user-limits/guest-G/max-channels": {"value": 20},
        "/api/permissions/%2Fguests/guest-G": {
            "configure": f"^({own})$",
            "write": f"^(trove|trove_reply|{own})$",
            "read": f"^(trove|trove_reply|{own})$",
        },
        "/api/topic-permissions/%2Fguests/guest-G#trove": {
            "exchange": "trove",
            "write": "^trove-conductor$",
            "read": r"^guestagent\.G(\.G)?$",
        },
        "/api/topic-permissions/%2Fguests/guest-G#trove_reply": {
            "exchange": "trove_reply",
            "write": "^reply_.*$",
            "read": "^reply_guest-G:trove-guestagent:[0-9]+$",
        },
    }
    assert "/permissions/" in Management.asked[-1], "it could act before it was bounded"


def test_adding_twice_is_adding_once(client):
    client.add_guest(INSTANCE, "pw")
    before = dict(Management.things)
    client.add_guest(INSTANCE, "pw")
    assert Management.things == before


def test_enrolment_replaces_the_password_and_keeps_the_rest(client):
    client.add_guest(INSTANCE, "pw")
    client.set_hash(INSTANCE, "aGFzaA==")
    assert Management.things[f"/api/users/guest-{INSTANCE}"] == {
        "password_hash": "aGFzaA==",
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": "",
    }


def test_a_removed_guest_does_not_come_back_by_enrolling(client):
    with pytest.raises(errors.NotFound, match=INSTANCE):
        client.set_hash(INSTANCE, "aGFzaA==")
    assert Management.things == {}


def test_removing_takes_its_queues_and_nobody_elses(client):
    client.add_guest("g1", "pw")
    queues = [
        "guestagent.g1",
        "guestagent.g1.g1",
        "reply_guest-g1:trove-guestagent:1",
        "guestagent.g11",
        "reply_guest-g11:trove-guestagent:1",
        "trove-conductor.g1",
    ]
    for name in queues:
        quoted = urllib.parse.quote(name, safe="")
        Management.things[f"/api/queues/%2Fguests/{quoted}"] = {"x": 1}
    client.remove_guest("g1")
    left = {urllib.parse.unquote(key.rpartition("/")[2]) for key in Management.things}
    assert set(queues[3:]) <= left
    assert not set(queues[:3]) & left
    client.remove_guest("g1")


def test_guests_are_told_from_other_users(client):
    for name in ("trove-control", "guest", "guest-", f"guest-{INSTANCE}", "guest-a"):
        Management.things[f"/api/users/{name}"] = {"name": name}
    assert client.guests() == [INSTANCE, "a"]


@pytest.mark.parametrize("name", ["", ".*", "a|b", "a.b", "../users", "a\n", "x" * 65])
def test_an_instance_that_would_be_an_expression_is_refused(client, name):
    for act in (client.remove_guest, lambda one: client.add_guest(one, "pw")):
        with pytest.raises(errors.Invalid):
            act(name)
    assert Management.asked == []
    assert broker.instance_of(f"guest-{name}") is None


def test_a_virtual_host_is_made_with_what_guests_need_of_it(client):
    client.prepare_vhost("trove-control")
    made = Management.things
    assert made["/api/exchanges/%2Fguests/trove_reply"]["type"] == "topic"
    assert made["/api/exchanges/%2Fguests/trove"]["durable"] is True
    assert "/api/permissions/%2Fguests/trove-control" in made
    policies = [body for path, body in made.items() if "/policies/" in path]
    assert all("max-length" in one["definition"] for one in policies)
    assert all("message-ttl" in one["definition"] for one in policies)


def test_what_a_virtual_host_lacks_is_told_before_it_is_made(client):
    with pytest.raises(errors.Upstream, match="no user trove-control"):
        client.vhost_lacks("trove-control")
    Management.things["/api/users/trove-control"] = {"name": "trove-control"}
    before = dict(Management.things)
    lacks = client.vhost_lacks("trove-control")
    assert Management.things == before, "it only reads"
    assert "vhosts /guests: missing" in lacks and len(lacks) == 8
    client.prepare_vhost("trove-control")
    assert client.vhost_lacks("trove-control") == []
    policy = Management.things["/api/policies/%2Fguests/trove-reports"]
    Management.things["/api/policies/%2Fguests/trove-reports"] = policy | {
        "pattern": "^x"
    }
    assert client.vhost_lacks("trove-control") == [
        "policies /guests trove-reports: pattern is '^x', not '^trove-conductor'"
    ]
    client.prepare_vhost("trove-control")
    assert client.vhost_lacks("trove-control") == []


@pytest.mark.parametrize(
    "answer, kind",
    [
        ((500, ""), errors.Unavailable),
        ((503, "{}"), errors.Unavailable),
        ((429, ""), errors.Unavailable),
        ((401, '{"reason": "Login failed"}'), errors.Upstream),
        ((400, '{"reason": "bad"}'), errors.Upstream),
        ((302, ""), errors.Upstream),
        ((200, "<html>"), errors.Unavailable),
    ],
)
def test_a_failure_has_a_class(client, answer, kind):
    Management.answer = answer
    with pytest.raises(kind) as caught:
        client.add_guest("g1", "the-password")
    assert type(caught.value) is kind
    assert "the-password" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert not client.alive() or answer[0] == 404


def test_nobody_there_is_unavailable():
    away = Broker("http://127.0.0.1:1", "a", "b", "/v")
    with pytest.raises(errors.Unavailable):
        away.guests()
    assert not away.alive()


def test_permissions_hold_for_one_instance_only():
    own = broker.permissions("a-1")["configure"]
    assert re.match(own, "guestagent.a-1") and re.match(own, "guestagent.a-1.a-1")
    for name in ("guestagent.a-11", "guestagentXa-1", "guestagent.a-1.b", "x"):
        assert not re.match(own, name)


def test_who_is_shut_out_has_no_connection_and_gets_none(client):
    """Until it is let in again; its user and its rights stay as they are."""
    client.add_guest("G", "pw")
    client.add_guest("other", "pw")
    before = dict(Management.things)
    assert client.shut_out_now() == []
    assert client.shut_out("G")
    closed = "DELETE /api/connections/10.0.0.3%3A1%20-%3E%2010.0.0.1%3A2"
    assert closed in Management.asked
    assert client.shut_out_now() == ["G"]
    client.let_in("G")
    assert client.shut_out_now() == []
    assert Management.things == before


def test_who_has_no_user_is_neither_shut_out_nor_let_in(client):
    assert not client.shut_out("G")
    client.let_in("G")
    assert Management.things == {}


def test_a_queue_without_statistics_has_no_leader_and_is_taken_away(client):
    place = "/api/queues/%2Fguests/"
    own, other = f"guestagent.{INSTANCE}", "guestagent.another"
    for name, body in (
        (own, {"state": "running", "consumers": 0}),
        (f"{own}.{INSTANCE}", {"state": "live"}),
        (other, {}),
    ):
        Management.things[place + name] = body
    assert client.leaderless(INSTANCE) == [f"{own}.{INSTANCE}"]
    client.remove_queue(f"{own}.{INSTANCE}")
    assert client.leaderless(INSTANCE) == []
    assert set(Management.things) == {place + own, place + other}
