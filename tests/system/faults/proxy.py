# SPDX-License-Identifier: Apache-2.0
"""A forward HTTP proxy that does to chosen requests what a bad day does.

Clients find it by ``http_proxy``. A fault is chosen by method and by a pattern of URL
and body, and is met as often as it was asked for; anything else goes through.
"""

import contextlib
import dataclasses
import http.client
import http.server
import re
import socket
import struct
import threading
import typing
import urllib.parse

HOP = {"connection", "keep-alive", "proxy-connection", "transfer-encoding"}

FAULTS = {
    "400": (400, {}),
    "401": (401, {}),
    "403": (403, {}),
    "404": (404, {}),
    "409": (409, {}),
    "413": (413, {}),
    "413 later": (413, {"Retry-After": "3"}),
    "429": (429, {"Retry-After": "1"}),
    "500": (500, {}),
    "502": (502, {}),
    "503": (503, {"Retry-After": "1"}),
    "504": (504, {}),
}
"""Those that are an answer; the service itself hears nothing of the request."""

UNREADABLE = {"malformed": b"<html>welcome</html>", "half": b'{"server": {"id'}
"""Answers 200 that say nothing; here too the service hears nothing."""

SILENT = ("hang", "reset", "done and reset", "malformed", "half")
"""The others: no answer, or one that nobody can read."""

AFTERWARDS = ("done and reset", "done and 503", "late")
"""Of these, and beside them, those of which the service did what it was asked."""
LATE = 6.0
"""Seconds."""


@dataclasses.dataclass
class Fault:
    """What is done to which requests, and how often."""

    method: str
    where: re.Pattern[str]
    what: str | typing.Callable[[bytes], bytes]
    """A fault by its name, or what becomes of the answer's body."""
    left: int
    met: int = 0


class Proxy:
    """Serves until it is closed."""

    def __init__(self) -> None:
        proxy = self
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self.tokens: set[str] = set()
        """Every token that was shown."""
        self.closing = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Nothing to add to what the tests say."""

            def do(self) -> None:
                with contextlib.suppress(OSError):  # whoever asked has gone
                    proxy.serve(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def on(
        self,
        method: str,
        where: str,
        what: str | typing.Callable[[bytes], bytes],
        times: int = 1,
    ) -> Fault:
        """The next so many of such requests meet this."""
        fault = Fault(method, re.compile(where, re.DOTALL), what, times)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> list[Fault]:
        """No more of it; what nobody has met."""
        with self._lock:
            unmet = [fault for fault in self._faults if not fault.met]
            self._faults.clear()
        return unmet

    # -- one request ---------------------------------------------------------------

    def serve(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        self.tokens.add(handler.headers.get("X-Auth-Token", ""))
        what = self._chosen(handler, body)
        if what in FAULTS:
            status, headers = FAULTS[typing.cast(str, what)]
            said = b'{"error": {"message": "a bad day", "code": %d}}' % status
            self._answer(handler, status, {**headers, "Content-Type": JSON}, said)
        elif what in UNREADABLE:
            said = UNREADABLE[typing.cast(str, what)]
            self._answer(handler, 200, {"Content-Type": JSON}, said)
        elif what == "hang":
            handler.close_connection = True
            self.closing.wait(20)
        elif what == "reset":
            self._reset(handler)
        else:
            self._forward(handler, body, what)

    def _chosen(
        self, handler: http.server.BaseHTTPRequestHandler, body: bytes
    ) -> str | typing.Callable[[bytes], bytes] | None:
        seen = f"{handler.path} {body.decode(errors='replace')}"
        with self._lock:
            for fault in self._faults:
                if fault.left and re.fullmatch(fault.method, handler.command):
                    if fault.where.search(seen):
                        fault.left -= 1
                        fault.met += 1
                        return fault.what
        return None

    def _forward(
        self,
        handler: http.server.BaseHTTPRequestHandler,
        body: bytes,
        what: str | typing.Callable[[bytes], bytes] | None,
    ) -> None:
        parts = urllib.parse.urlsplit(handler.path)
        path = urllib.parse.urlunsplit(("", "", parts.path, parts.query, ""))
        line = http.client.HTTPConnection(parts.netloc, timeout=60)
        try:
            headers = {n: v for n, v in handler.headers.items() if n.lower() not in HOP}
            line.request(handler.command, path, body or None, headers)
            answer = line.getresponse()
            said = answer.read()
        finally:
            line.close()
        if what == "done and reset":
            self._reset(handler)
            return
        if what == "done and 503":
            self._answer(handler, 503, {"Content-Type": JSON}, b'{"error": {}}')
            return
        if what == "late":
            self.closing.wait(LATE)
        if callable(what):
            said = what(said)
        kept = {n: v for n, v in answer.getheaders() if n.lower() not in HOP}
        kept.pop("Content-Length", None)
        self._answer(handler, answer.status, kept, said)

    def _answer(
        self,
        handler: http.server.BaseHTTPRequestHandler,
        status: int,
        headers: dict[str, str],
        said: bytes,
    ) -> None:
        handler.send_response_only(status)
        for name, value in headers.items():
            if name.lower() != "content-length":
                handler.send_header(name, value)
        if status != 204:
            handler.send_header("Content-Length", str(len(said)))
        handler.end_headers()
        if handler.command != "HEAD" and status != 204:
            handler.wfile.write(said)

    def _reset(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        linger = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        handler.close_connection = True
        handler.connection.close()


JSON = "application/json"
