# SPDX-License-Identifier: Apache-2.0
"""An OpenStack that says what the test wants, over real HTTP on loopback."""

import http.server
import json
import re
import socket
import struct
import threading
import urllib.parse

import pytest

from trove.cloud.openstack import OpenstackCloud
from trove.cloud.openstack.session import Settings

TYPES = {
    "compute": "/compute/v2.1",
    "block-storage": "/volume/v3/p1",
    "network": "/network",
    "image": "/image",
    "key-manager": "/key-manager",
}


class Request:
    """What was asked of the stub."""

    def __init__(self, method, path, query, headers, body):
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body


class Stub:
    """Answers by (method, path pattern); what nobody spoke of is a 404 in JSON."""

    def __init__(self):
        self.routes = []
        self.requests = []
        self.tokens = 0
        self.newest_compute = "2.95"
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do(self):
                stub.serve(self)

            do_GET = do_POST = do_PUT = do_DELETE = do

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def on(self, method, path, *answers):
        """Answers are tried in turn, the last one for ever: a value is a 200 in JSON,

        a tuple is (status, body[, headers]), a callable gets the request.
        """
        self.routes.insert(0, (method, re.compile(path), list(answers)))

    def asked(self, method, path):
        wanted = re.compile(path)
        return [
            r for r in self.requests if r.method == method and wanted.search(r.path)
        ]

    def serve(self, handler):
        length = int(handler.headers.get("content-length") or 0)
        raw = handler.rfile.read(length)
        parts = urllib.parse.urlsplit(handler.path)
        query = urllib.parse.parse_qs(parts.query)
        body = json.loads(raw) if raw else None
        request = Request(handler.command, parts.path, query, handler.headers, body)
        if answer := self.built_in(request):
            return self.reply(handler, *answer)
        self.requests.append(request)
        for method, path, answers in self.routes:
            if method == request.method and path.search(request.path):
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                if callable(answer):
                    answer = answer(request)
                if answer == "reset":
                    return self.reset(handler)
                if answer == "silence":
                    return self.reset(handler) if handler.rfile.read(1) else None
                if not isinstance(answer, tuple):
                    answer = (200, answer)
                return self.reply(handler, *answer)
        gone = {"itemNotFound": {"message": "not there", "code": 404}}
        return self.reply(handler, 404, gone)

    def built_in(self, request):
        path = request.path.rstrip("/")
        if path == "/v3/auth/tokens":
            self.tokens += 1
            token = self.token()
            return 201, token, {"X-Subject-Token": f"token-{self.tokens}"}
        if path == "/compute/v2.1":
            return 200, {"version": self.version("v2.1", path, self.newest_compute)}
        if path == "/volume/v3":
            return 200, {"versions": [self.version("v3.0", path, "3.70")]}
        if path in ("/network", "/network/v2.0"):
            return 200, {"versions": [self.version("v2.0", "/network/v2.0/")]}
        if path in ("/image", "/image/v2"):
            return 200, {"versions": [self.version("v2.16", "/image/v2/")]}
        if path == "/key-manager":
            about = self.version("v1", "/key-manager/v1/")
            about |= {"min_version": "1.0", "max_version": "1.1"}
            return 200, {"versions": [about]}
        return None

    def version(self, id, path, newest=""):
        return {
            "id": id,
            "status": "CURRENT",
            "version": newest,
            "min_version": "2.1" if newest else "",
            "links": [{"rel": "self", "href": self.url + path}],
        }

    def token(self):
        catalog = [
            {
                "type": kind,
                "name": kind,
                "id": kind,
                "endpoints": [
                    {
                        "id": kind,
                        "interface": "public",
                        "region": "r1",
                        "region_id": "r1",
                        "url": self.url + path,
                    }
                ],
            }
            for kind, path in TYPES.items()
        ]
        return {
            "token": {
                "methods": ["password"],
                "expires_at": "2099-01-01T00:00:00.000000Z",
                "issued_at": "2026-01-01T00:00:00.000000Z",
                "user": {
                    "id": "u1",
                    "name": "trove",
                    "domain": {"id": "d", "name": "D"},
                },
                "project": {
                    "id": "p1",
                    "name": "p",
                    "domain": {"id": "d", "name": "D"},
                },
                "roles": [{"id": "r", "name": "member"}],
                "catalog": catalog,
            }
        }

    def reply(self, handler, status, body=None, headers=()):
        data = b"" if body is None else body
        kind = "text/html"
        if not isinstance(data, bytes):
            data, kind = json.dumps(data).encode(), "application/json"
        handler.send_response(status)
        for name, value in {"Content-Type": kind, **dict(headers)}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def reset(self, handler):
        """The connection ends with a reset, after the request was read."""
        linger = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        handler.close_connection = True
        handler.connection.close()


@pytest.fixture
def stub():
    stub = Stub()
    yield stub
    stub.close()


def settings(stub, **more):
    return Settings(
        auth_url=stub.url + "/v3",
        deployment="d1",
        username="trove",
        password="secret",
        project_name="service",
        region_name="r1",
        read_timeout=0.5,
        **more,
    )


@pytest.fixture
def cloud(stub):
    cloud = OpenstackCloud(settings(stub))
    yield cloud
    cloud.close()
