# SPDX-License-Identifier: Apache-2.0
"""An HTTP server that does to each request what a test says."""

import contextlib
import http.server
import pathlib
import socket
import ssl
import struct
import threading
import typing

from trove.service.certificates import Authority


class Handler(http.server.BaseHTTPRequestHandler):
    """One request; ``server.deed`` is called with this."""

    def log_message(self, *_: object) -> None:
        pass

    def do(self) -> None:
        self.close_connection = True
        self.server.asked.append(f"{self.command} {self.path}")
        self.server.heard.append(dict(self.headers.items()))
        # who asked may have gone meanwhile
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.server.deed(self)

    do_HEAD = do_GET = do_PUT = do_POST = do_DELETE = do

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        """A whole answer."""
        self.send_response(status)
        said = {"Content-Length": str(len(body)), **headers}
        for name, value in said.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def drip(self, text: bytes, every: float) -> None:
        """A byte now and then, until nobody listens or the test is over."""
        for byte in text:
            if self.server.over.wait(every):
                return
            self.wfile.write(bytes([byte]))

    def reset(self) -> None:
        """The connection breaks."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    scheme = "http"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.heard: list[dict[str, str]] = []
        self.over = threading.Event()
        self.deed: typing.Callable[[Handler], None] = lambda request: request.say(200)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextlib.contextmanager
def serving(context: ssl.SSLContext | None = None) -> typing.Iterator[Server]:
    """A server until the end of the block; with a context, over TLS."""
    server = Server()
    if context:
        server.scheme = "https"
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def private(directory: pathlib.Path) -> tuple[ssl.SSLContext, str]:
    """For a server at 127.0.0.1, with a certificate of an authority that no machine
    trusts; and the authority's own."""
    authority = Authority.create(directory / "ca")
    certificate, key = authority.server_certificate(["store"], ["127.0.0.1"])
    (directory / "pem").write_text(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "pem")
    return context, authority.ca_pem


@contextlib.contextmanager
def privately(directory: pathlib.Path) -> typing.Iterator[tuple[Server, str]]:
    """A server with such a certificate; and the authority's."""
    context, authority = private(directory)
    with serving(context) as server:
        yield server, authority
