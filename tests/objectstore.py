# SPDX-License-Identifier: Apache-2.0
"""The one-machine cloud's object store on a port of its own, for as long as a test.

The tokens are the stand-in: ``project/roles`` is one.
"""

import contextlib
import json
import pathlib
import ssl
import threading
import typing

from trove.localcloud.objects import Objects
from trove.localcloud.web import swift
from trove.localcloud.web.server import Server

Environ = dict[str, typing.Any]


class Store:
    """A store that serves; ``objects`` are its contents."""

    def __init__(
        self, home: pathlib.Path, context: ssl.SSLContext | None = None
    ) -> None:
        self.objects = Objects(home)
        self.application = swift.Application(self.objects)
        self.asked: list[str] = []
        self.refusing = False
        """Whether all that comes is answered with 503."""
        self._server = Server("127.0.0.1", 0, self._front)
        self._scheme = "https" if context else "http"
        if context:
            plain = self._server.socket
            self._server.socket = context.wrap_socket(plain, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def endpoint(self, project: str) -> str:
        return f"{self.url}/v1/AUTH_{project}"

    def catalogue(self, project: str) -> str:
        """As keystonemiddleware hands it on."""
        endpoint = {"region": "RegionOne", "publicURL": self.endpoint(project)}
        return json.dumps([{"type": "object-store", "endpoints": [endpoint]}])

    def names(self, project: str, container: str = "database_logs") -> list[str]:
        listed = self.objects.listed(
            f"AUTH_{project}", container, swift.objects.Asked()
        )
        return [one.name for one in listed if not isinstance(one, str)]

    def text(self, project: str, name: str, container: str = "database_logs") -> str:
        found = self.objects.find(f"AUTH_{project}", container, name)
        assert found is not None, name
        return self.objects.path(found).read_text()

    def lines(self, project: str, name: str) -> str:
        found = self.objects.find(f"AUTH_{project}", "database_logs", name)
        assert found is not None, name
        return found.meta["Lines"]

    def _front(self, environ: Environ, start: typing.Any) -> typing.Any:
        self.asked.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        if self.refusing:
            start("503 Service Unavailable", [("Content-Length", "0")])
            return [b""]
        if token := environ.get("HTTP_X_AUTH_TOKEN"):
            project, _, roles = token.partition("/")
            environ |= {
                "HTTP_X_IDENTITY_STATUS": "Confirmed",
                "HTTP_X_PROJECT_ID": project,
                "HTTP_X_ROLES": roles,
            }
        return self.application(environ, start)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.objects.close()


@contextlib.contextmanager
def serving(
    home: pathlib.Path, context: ssl.SSLContext | None = None
) -> typing.Iterator[Store]:
    """A store until the end of the block; with a context, over TLS."""
    store = Store(home, context)
    try:
        yield store
    finally:
        store.close()
