# SPDX-License-Identifier: Apache-2.0
"""A user of the API: over a socket, in JSON or XML, waiting for what he sees."""

import dataclasses
import http.client
import json
import time
import typing

from tests.api.world import from_xml, to_xml

Plain = dict[str, typing.Any]


class Authenticator:
    """Believes a token ``role:project``: the stand-in of keystonemiddleware."""

    def __init__(self, application: typing.Any) -> None:
        self.application = application

    def __call__(self, environ: Plain, start: typing.Any) -> typing.Any:
        role, _, project = environ.get("HTTP_X_AUTH_TOKEN", "").partition(":")
        if not project:
            start("401 Unauthorized", [("Content-Length", "0")])
            return [b""]
        roles = {"admin": "admin,member,reader", "member": "member,reader"}
        environ.update(
            HTTP_X_IDENTITY_STATUS="Confirmed",
            HTTP_X_PROJECT_ID=project,
            HTTP_X_USER_ID=f"user-of-{project}",
            HTTP_X_ROLES=roles.get(role, role),
        )
        return self.application(environ, start)


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> typing.Any:
        return json.loads(self.body)

    @property
    def xml(self) -> typing.Any:
        return from_xml(self.body)


def until(
    look: typing.Callable[[], typing.Any],
    within: float = 40.0,
    why: typing.Callable[[], object] = lambda: "",
) -> typing.Any:
    """What ``look`` answers once that is true; fails when the time is over."""
    end = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < end, f"not within {within} s: {why()}"
        time.sleep(0.05)
    return found


class Client:
    """One project's user."""

    def __init__(self, port: int, project: str, role: str = "member") -> None:
        self.port, self.project, self.role = port, project, role

    def ask(
        self,
        method: str,
        path: str,
        body: Plain | None = None,
        *,
        xml: bool = False,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        kind = "application/xml" if xml else "application/json"
        sent = {"Accept": kind, "X-Auth-Token": f"{self.role}:{self.project}"}
        data = None
        if body is not None:
            sent["Content-Type"] = kind
            data = to_xml(body) if xml else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            path = f"/v1.0/{self.project}/{path}"
            connection.request(method, path, data, sent | (headers or {}))
            answer = connection.getresponse()
            return Answer(
                answer.status,
                {name.lower(): value for name, value in answer.getheaders()},
                answer.read(),
            )
        finally:
            connection.close()

    def order(self, name: str, **about: typing.Any) -> Plain:
        """The body of a create."""
        asked = {"name": name, "flavorRef": "1", "volume": {"size": 1}, **about}
        return {"instance": asked}

    def create(self, name: str, **about: typing.Any) -> str:
        """The id of a new instance."""
        answer = self.ask("POST", "instances", self.order(name, **about))
        assert answer.status == 200, answer.body
        return typing.cast(str, answer.json["instance"]["id"])

    def show(self, id: str) -> Plain:
        answer = self.ask("GET", f"instances/{id}")
        assert answer.status == 200, answer.body
        return typing.cast(Plain, answer.json["instance"])

    def state(self, id: str) -> tuple[str, str]:
        seen = self.show(id)
        return seen["status"], seen["operating_status"]

    def states(self) -> dict[str, tuple[str, str]]:
        """Of every instance of the project, by id, from as many pages as it takes."""
        found: dict[str, tuple[str, str]] = {}
        query = "?limit=1000"
        while query:
            answer = self.ask("GET", f"instances{query}")
            assert answer.status == 200, answer.body
            page = answer.json
            for each in page["instances"]:
                found[each["id"]] = (each["status"], each["operating_status"])
            following = [link["href"] for link in page.get("links", ())]
            query = f"?{following[0].partition('?')[2]}" if following else ""
        return found

    def ready(self, *ids: str, within: float = 40.0) -> None:
        """Waits until all are ACTIVE and HEALTHY."""
        self.become(("ACTIVE", "HEALTHY"), *ids, within=within)

    def become(self, state: tuple[str, str], *ids: str, within: float = 40.0) -> None:
        """Waits until all are in that state."""

        def all_are() -> bool:
            seen = self.states()
            return all(seen.get(id) == state for id in ids)

        until(all_are, within, self.states)

    def delete(self, *ids: str, within: float = 60.0) -> None:
        """Asks for it, and waits until there is nothing to be seen."""
        for id in ids:
            answer = self.ask("DELETE", f"instances/{id}")
            assert answer.status in (202, 404), answer.body
        until(lambda: not set(ids) & set(self.states()), within, self.states)

    def usage(self) -> dict[str, tuple[int, int]]:
        """Resource -> (in use, reserved)."""
        answer = self.ask("GET", f"mgmt/quotas/{self.project}")
        assert answer.status == 200, answer.body
        return {
            row["resource"]: (row["in_use"], row["reserved"])
            for row in answer.json["quotas"]
        }
