# SPDX-License-Identifier: Apache-2.0
"""Any sequence of requests, good and bad, to a running API: no 5xx but the 501s (T28).

Real HTTP, MariaDB and taskmanagers; instances come and go meanwhile. What is refused is
refused in the envelope, in the form that was asked for.
"""

import collections
import http.client
import json
import time
import typing
import urllib.parse

import hypothesis
import pytest
from hypothesis import stateful
from hypothesis import strategies as some

from tests.api.world import from_xml, to_xml
from tests.fuzz.test_parsers import BODY, JSON
from tests.system.faults.conftest import LONG
from trove.api.resources import TABLE

pytestmark = [pytest.mark.root, pytest.mark.mariadb, pytest.mark.rabbitmq]

SECONDS = 600.0 if LONG else 20.0
ROOM = 6
"""Instances at once: more are refused, which is an answer too."""

NOBODY = "00000000-0000-4000-8000-000000000000"
# OPTIONS is for browsers: oslo.middleware's CORS answers it before us
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE")
PATHS = sorted({(route.op.method, route.path) for route in TABLE.routes})
ACTIONS = sorted({key for route in TABLE.routes for key in route.op.deeds})
TEXT = some.text(min_size=1, max_size=20)
NAME = TEXT | some.sampled_from(["db", "mariadb", "1", "10.11", "..", "%", "é" * 200])
QUERY = some.dictionaries(
    some.sampled_from(["limit", "marker", "include_clustered", "deleted", "x"]) | TEXT,
    some.integers(-2, 2000).map(str) | TEXT,
    max_size=3,
)
NEEDED = {
    "name": some.sampled_from(["db", "été"]),
    "flavorRef": some.sampled_from(["1", "2"]),
    "volume": some.fixed_dictionaries({"size": some.integers(1, 3)}),
}
GOOD = some.fixed_dictionaries(NEEDED) | some.fixed_dictionaries(
    NEEDED,
    optional={
        "datastore": some.fixed_dictionaries(
            {"type": some.sampled_from(["mariadb", "postgresql", "none"])}
        ),
        "databases": some.lists(some.fixed_dictionaries({"name": NAME}), max_size=2),
        "users": some.lists(
            some.fixed_dictionaries({"name": NAME, "password": NAME}), max_size=2
        ),
        "availability_zone": NAME,
        "locality": NAME,
        "nics": JSON,
        "access": JSON,
    },
)


class Caller:
    """Sends anything; keeps count of what came back."""

    def __init__(self, user: typing.Any) -> None:
        self.user = user
        self.counts: collections.Counter[int] = collections.Counter()
        self.end = time.monotonic() + SECONDS
        self._line: http.client.HTTPConnection | None = None

    def over(self) -> bool:
        return time.monotonic() > self.end

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def ask(
        self,
        method: str,
        path: str,
        data: bytes | None = None,
        *,
        kind: str = "json",
        xml: bool = False,
        query: dict[str, str] | None = None,
        key: str | None = None,
    ) -> tuple[int, bytes]:
        """One request, and everything that holds for every answer."""
        where = f"/v1.0/{self.user.project}/{path}"
        if query:
            where += "?" + urllib.parse.urlencode(query, errors="surrogatepass")
        headers = {
            "X-Auth-Token": f"member:{self.user.project}",
            "Accept": f"application/{'xml' if xml else 'json'}",
        }
        if data is not None:
            headers["Content-Type"] = f"application/{kind}"
        if key is not None:
            headers["Idempotency-Key"] = urllib.parse.quote(key, errors="replace")
        answer = self._send(method, where, data, headers)
        body = answer.read()
        what = (method, where, data, answer.status, body[:300])
        self.counts[answer.status] += 1
        assert answer.status < 500 or answer.status == 501, what
        assert answer.headers["x-openstack-request-id"], what
        if method != "HEAD" and (body or answer.status >= 400):
            whole = from_xml(body) if xml else json.loads(body)
            if answer.status >= 400:
                [(_name, fault)] = whole.items()
                assert int(fault["code"]) == answer.status, what
                assert fault["message"], what
        return answer.status, body

    def _send(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        for again in (True, False):
            if self._line is None:
                self._line = http.client.HTTPConnection(
                    "127.0.0.1", self.user.port, timeout=60
                )
            try:
                self._line.request(method, path, data, headers)
                return self._line.getresponse()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionError):
                self.close()  # a kept connection may end between two requests
                if not again:
                    raise
        raise AssertionError


def written(body: typing.Any, xml: bool) -> bytes:
    """As a client would send it; XML has one root."""
    if xml:
        whole = body if isinstance(body, dict) and len(body) == 1 else {"x": [body]}
        try:
            return to_xml(whole)
        except (UnicodeEncodeError, ValueError, TypeError):
            return b"<instance name='&#xD800;'/>"
    return json.dumps(body).encode()


def machine(caller: Caller) -> type[stateful.RuleBasedStateMachine]:
    """All that a user can do, in any order."""

    class Requests(stateful.RuleBasedStateMachine):
        ids = stateful.Bundle("ids")

        @stateful.rule(
            target=ids, body=GOOD, xml=some.booleans(), key=some.none() | NAME
        )
        def create(self, body: typing.Any, xml: bool, key: str | None) -> typing.Any:
            if caller.over():
                return NOBODY
            data = written({"instance": body}, xml)
            kind = "xml" if xml else "json"
            status, said = caller.ask("POST", "instances", data, kind=kind, key=key)
            if status != 200:
                return NOBODY  # what is drawn must not depend on what is answered
            return json.loads(said)["instance"]["id"]

        @stateful.rule(body=BODY | JSON, wrap=some.booleans(), xml=some.booleans())
        def create_anything(self, body: typing.Any, wrap: bool, xml: bool) -> None:
            if not caller.over():
                data = written({"instance": body} if wrap else body, xml)
                kind = "xml" if xml else "json"
                caller.ask("POST", "instances", data, kind=kind, xml=xml)

        @stateful.rule(
            id=ids,
            action=some.sampled_from(ACTIONS * 3) | NAME,
            body=some.just({}) | some.just({"volume": {"size": 4}}) | JSON,
            xml=some.booleans(),
        )
        def act(self, id: str, action: str, body: typing.Any, xml: bool) -> None:
            if not caller.over():
                data = written({action: body}, xml)
                kind = "xml" if xml else "json"
                caller.ask("POST", f"instances/{id}/action", data, kind=kind, xml=xml)

        @stateful.rule(id=ids, name=NAME, verb=some.sampled_from(["PUT", "PATCH"]))
        def rename(self, id: str, name: str, verb: str) -> None:
            if not caller.over():
                data = written({"instance": {"name": name}}, False)
                caller.ask(verb, f"instances/{id}", data)

        @stateful.rule(
            route=some.sampled_from(PATHS),
            verb=some.none() | some.sampled_from(METHODS),
            id=ids | NAME,
            query=QUERY,
            body=some.none() | JSON,
            xml=some.booleans(),
        )
        def any_route(
            self,
            route: tuple[str, str],
            verb: str | None,
            id: str,
            query: dict[str, str],
            body: typing.Any,
            xml: bool,
        ) -> None:
            if caller.over():
                return
            quoted = urllib.parse.quote(id, safe="", errors="replace")
            method, pattern = route
            parts = pattern.split("/")
            path = "/".join(quoted if "{" in part else part for part in parts)
            data = None if body is None else written(body, xml)
            kind = "xml" if xml else "json"
            caller.ask(verb or method, path, data, kind=kind, xml=xml, query=query)

        @stateful.rule(data=some.binary(max_size=60), kind=NAME)
        def bytes(self, data: bytes, kind: str) -> None:
            if not caller.over():
                kind = urllib.parse.quote(kind, errors="replace")
                caller.ask("POST", "instances", data, kind=kind)

        @stateful.rule(id=ids)
        def delete(self, id: str) -> None:
            if not caller.over():
                status, _ = caller.ask("DELETE", f"instances/{id}")
                assert status in (202, 404)

    return Requests


@pytest.mark.timeout(1200)
def test_no_request_breaks_the_api(lab, user):
    """T28, S18: for as long as it lasts; then everything goes, and nothing is left."""
    quotas = {"quotas": {"instances": ROOM, "volumes": 3 * ROOM}}
    admin = lab.client("admins", "admin")
    assert admin.ask("PUT", f"mgmt/quotas/{user.project}", quotas).status == 200
    caller = Caller(user)
    rounds = 0
    try:
        while not caller.over():
            settings = hypothesis.settings(
                max_examples=50,
                stateful_step_count=40,
                deadline=None,
                database=None,
                # a search for a smaller case would take as long again, many times
                phases=[hypothesis.Phase.generate],
                suppress_health_check=list(hypothesis.HealthCheck),
            )
            made = hypothesis.seed(rounds)(machine(caller))
            stateful.run_state_machine_as_test(made, settings=settings)
            user.delete(*user.states())
            rounds += 1
    finally:
        caller.close()
    print(f"{caller.counts.total()} requests: {sorted(caller.counts.items())}")
    assert {200, 202, 400, 404} <= set(caller.counts)
    user.delete(*user.states())
    assert set(user.usage().values()) == {(0, 0)}
    assert lab.hands.things() == []
