# SPDX-License-Identifier: Apache-2.0
"""A Keystone that knows two tokens: enough of its API for keystonemiddleware.

With services for its catalogue, it believes the service's token too, a member's of the
project ``service``.
"""

import http.server
import json
import threading
import typing

SERVICE = "service-token"
TOKENS = {"demo-token": ("demo0000", ["member", "reader"])}

CALLS: list[str] = []
"""The path of everything that was asked for."""


def _token(project: str, roles: list[str]) -> dict[str, typing.Any]:
    return {
        "token": {
            "methods": ["password"],
            "user": {"id": "u1", "name": "u", "domain": {"id": "d", "name": "D"}},
            "project": {"id": project, "name": "p", "domain": {"id": "d", "name": "D"}},
            "roles": [{"id": role, "name": role} for role in roles],
            "expires_at": "2099-01-01T00:00:00.000000Z",
            "issued_at": "2020-01-01T00:00:00.000000Z",
            "audit_ids": ["a"],
            "catalog": [],
            "is_domain": False,
        }
    }


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        CALLS.append(self.path)
        if self.path.rstrip("/") in ("/v3", ""):
            version = {
                "id": "v3.14",
                "status": "stable",
                "links": [{"rel": "self", "href": self._base() + "/v3/"}],
            }
            self._answer(200, {"version": version})
            return
        asked = self.headers.get("X-Subject-Token", "")
        if asked in TOKENS:
            self._answer(200, _token(*TOKENS[asked]))
        elif asked == SERVICE and self._services():
            self._answer(200, _token("service", ["service", "member"]))
        else:
            self._answer(404, {"error": {"code": 404, "message": "no such token"}})

    def do_POST(self) -> None:
        CALLS.append(self.path)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = _token("service", ["service"])
        body["token"]["catalog"] = [
            {
                "type": kind,
                "name": kind,
                "id": kind,
                "endpoints": [
                    {
                        "id": interface,
                        "interface": interface,
                        "region": "RegionOne",
                        "region_id": "RegionOne",
                        "url": url,
                    }
                    for interface in ("public", "internal", "admin")
                ],
            }
            for kind, url in {
                "identity": self._base() + "/v3",
                **self._services(),
            }.items()
        ]
        self._answer(201, body, {"X-Subject-Token": SERVICE})

    def _services(self) -> dict[str, str]:
        return typing.cast(_Server, self.server).services

    def _base(self) -> str:
        host, port = self.server.server_address[:2]
        return f"http://{host!s}:{port}"

    def _answer(
        self, status: int, body: typing.Any, headers: dict[str, str] | None = None
    ) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: typing.Any) -> None:
        """Quiet."""


class _Server(http.server.ThreadingHTTPServer):
    services: dict[str, str]


class Keystone:
    """Serves on a loopback port while the block lasts. ``services``: types and URLs."""

    def __init__(self, services: dict[str, str] | None = None) -> None:
        self._services = services or {}

    def __enter__(self) -> str:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.services = self._services
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_address[1]}/v3"

    def __exit__(self, *about: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
