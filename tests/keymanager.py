# SPDX-License-Identifier: Apache-2.0
"""The one-machine cloud's key manager on a port of its own, for as long as a test.

The tokens are the stand-in: ``project/roles`` is one.
"""

import base64
import contextlib
import json
import pathlib
import threading
import typing

import requests

from trove.localcloud import bootstrap
from trove.localcloud.store import Store
from trove.localcloud.web import app, calls
from trove.localcloud.web.server import Server

Any = typing.Any


class KeyManager:
    """It serves; ``asked`` is what it was asked, with which token."""

    def __init__(self, home: pathlib.Path) -> None:
        self.rows = Store(home / "cloud.sqlite")
        self.asked: list[tuple[str, str]] = []
        self.answers: Any = None
        """Called instead of the key manager: (environ, start) -> body."""
        self._server = Server("127.0.0.1", 0, self._front)
        self.endpoint = f"{self.url}/key-manager"
        settings = bootstrap.Settings("tst", "tstbr0")
        cloud = calls.Cloud(self.rows, typing.cast(Any, None), settings, self.url)
        self._application = app.Application(cloud)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def catalogue(self, **urls: str) -> str:
        """As keystonemiddleware hands it on."""
        endpoint = {"region": "RegionOne", "publicURL": self.endpoint, **urls}
        return json.dumps([{"type": "key-manager", "endpoints": [endpoint]}])

    def store(
        self, payload: bytes, project: str = "demo0000", text: bool = False
    ) -> str:
        """The address of a new secret."""
        body: dict[str, str] = {"payload_content_type": "text/plain"}
        if text:
            body["payload"] = payload.decode()
        else:
            body["payload"] = base64.b64encode(payload).decode()
            body["payload_content_type"] = "application/octet-stream"
            body["payload_content_encoding"] = "base64"
        said = requests.post(
            f"{self.endpoint}/v1/secrets",
            json=body,
            headers={"X-Auth-Token": f"{project}/member"},
            timeout=10,
        )
        assert said.status_code == 201, said.text
        return typing.cast(str, said.json()["secret_ref"])

    def _front(self, environ: dict[str, Any], start: Any) -> Any:
        token = environ.get("HTTP_X_AUTH_TOKEN", "")
        self.asked.append(
            (f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}", token)
        )
        if self.answers is not None and environ["REQUEST_METHOD"] == "GET":
            return self.answers(environ, start)
        if token:
            project, _, roles = token.partition("/")
            environ |= {
                "HTTP_X_IDENTITY_STATUS": "Confirmed",
                "HTTP_X_PROJECT_ID": project,
                "HTTP_X_USER_ID": "u",
                "HTTP_X_ROLES": roles,
            }
        return self._application(environ, start)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.rows.close()


@contextlib.contextmanager
def serving(home: pathlib.Path) -> typing.Iterator[KeyManager]:
    """One until the end of the block."""
    made = KeyManager(home)
    try:
        yield made
    finally:
        made.close()
