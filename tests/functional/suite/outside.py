# SPDX-License-Identifier: Apache-2.0
"""What is outside of Trove: one cloud, the guests' broker, and who may speak there.

The cloud is the memory cloud, found by its entry point as any other would be. The
broker's management API is HTTP, answered here; its messages are ``fake://``, where each
connection belongs to a user, and that user is what a receiver is told, whatever the
sender says: what RabbitMQ's validated ``user_id`` is.
"""

import collections
import http.server
import json
import pathlib
import sys
import threading
import typing
import urllib.parse

import oslo_messaging
from oslo_config import cfg

from trove.cloud.memory import MemoryCloud, Pace, World

Told = typing.Callable[[str, dict[str, typing.Any]], None]


class Hooks:
    """What tests do to the cloud's calls: refuse one, or keep its caller waiting."""

    def __init__(self) -> None:
        self.before: list[Told] = []
        self.booted: list[typing.Callable[[typing.Any, typing.Any], None]] = []

    def tell_before(self, name: str, said: dict[str, typing.Any]) -> None:
        for told in list(self.before):
            told(name, said)

    def tell_after(
        self, name: str, said: dict[str, typing.Any], answer: object
    ) -> None:
        if name == "compute.boot":
            for told in self.booted:
                told(said["order"], answer)


WORLD = World(pace=Pace(boot=0.05))
HOOKS = Hooks()


def connect(*, deployment: str, **_: object) -> MemoryCloud:
    """One view for each process that would connect; the world is the same."""
    return MemoryCloud(
        deployment=deployment,
        world=WORLD,
        before=HOOKS.tell_before,
        after=HOOKS.tell_after,
    )


def install(home: pathlib.Path) -> None:
    """Makes the name ``functional`` known, as an installed package would."""
    described = home / "functional_cloud-1.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Name: functional-cloud\nVersion: 1\n")
    (described / "entry_points.txt").write_text(
        "[trove.cloud]\nfunctional = tests.functional.suite.outside:connect\n"
    )
    sys.path.append(str(home))


class Broker:
    """The users of the guests' broker, and its management API on a loopback port."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, str]] = {}
        self.asked: collections.Counter[str] = collections.Counter()
        broker = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                broker.put(_parts(self.path), json.loads(self.rfile.read(size)))
                self._say(204, None)

            def do_DELETE(self) -> None:
                self._say(204 if broker.delete(_parts(self.path)) else 404, None)

            def do_GET(self) -> None:
                found = broker.get(_parts(self.path))
                self._say(404 if found is None else 200, found)

            def _say(self, status: int, body: typing.Any) -> None:
                data = b"" if body is None else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Nothing to add to what the tests say."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._serve, daemon=True, name="broker")
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.2)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    # -- the management API

    def put(self, path: list[str], body: dict[str, str]) -> None:
        self.asked[f"PUT {path[0]}"] += 1
        if path[0] == "users":
            self.users[path[1]] = body

    def delete(self, path: list[str]) -> bool:
        if path[0] != "users":
            return True
        return self.users.pop(path[1], None) is not None

    def get(self, path: list[str]) -> typing.Any:
        if path == ["user-limits"]:
            return []  # nobody is shut out
        if path == ["users"]:
            return [{"name": name} for name in list(self.users)]
        if path[0] == "users":
            return {"name": path[1]} if path[1] in self.users else None
        return {"items": []}

    # -- connections

    def connection(self, user: str) -> typing.Any:
        """A transport of that user's: it is nobody else's, and ends with the user."""
        opened = oslo_messaging.get_rpc_transport(cfg.CONF, "fake://")
        opened._driver = _Stamped(opened._driver, self, user)
        return opened


class _Stamped:
    """A driver whose messages carry the user of its connection."""

    def __init__(self, driver: typing.Any, broker: Broker, user: str) -> None:
        self._driver, self._broker, self._user = driver, broker, user

    def __getattr__(self, name: str) -> typing.Any:
        return getattr(self._driver, name)

    def send(
        self,
        target: typing.Any,
        ctxt: dict[str, typing.Any],
        *args: object,
        **how: object,
    ) -> typing.Any:
        if self._user not in self._broker.users:
            raise oslo_messaging.MessageDeliveryFailure("connection refused")
        told = ctxt | {"broker_user": self._user}
        return self._driver.send(target, told, *args, **how)


def _parts(path: str) -> list[str]:
    whole = urllib.parse.urlsplit(path).path
    return [urllib.parse.unquote(part) for part in whole.split("/")[2:]]
