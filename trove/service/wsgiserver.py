# SPDX-License-Identifier: Apache-2.0
"""Serves a WSGI application: gunicorn's threads, or eventlet's green ones.

Both fork their workers from one process that has loaded nothing of the application, and
both end on SIGTERM after the requests that were begun. Logging, TLS and the number of
workers are the same for both.
"""

import dataclasses
import logging
import socket
import ssl
import typing

import gunicorn.app.base
import gunicorn.glogging

from trove.service import concurrency, greenworkers

Application = typing.Callable[..., typing.Iterable[bytes]]


@dataclasses.dataclass(frozen=True, slots=True)
class Listen:
    """Where and how to serve."""

    host: str = "127.0.0.1"
    port: int = 8779
    workers: int = 2
    threads: int = 16
    backlog: int = 512
    drain: float = 60.0
    keep_alive: int = 15
    certificate: str | None = None
    key: str | None = None
    client_ca: str | None = None
    ready_file: str | None = None

    def tls(self) -> ssl.SSLContext | None:
        """TLS 1.2 or later; a client certificate is asked for if a CA is given."""
        if not self.certificate:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        if self.client_ca:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def socket(self) -> socket.socket:
        """Bound and listening; IPv6 if the host is written so."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # what does not fit into one packet would wait for the client's late ACK: 40 ms
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind((self.host, self.port))
        listener.listen(self.backlog)
        return listener


class _Log(gunicorn.glogging.Logger):
    """gunicorn's own messages go where ours go; the API logs its requests itself."""

    def setup(self, cfg: typing.Any) -> None:
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.propagate = True
        self.error_log.setLevel(logging.NOTSET)


class _Threaded(gunicorn.app.base.BaseApplication):
    """gunicorn without its command line, files or control socket."""

    def __init__(self, load: typing.Callable[[], Application], listen: Listen) -> None:
        self._load = load
        self._listen = listen
        super().__init__()

    def load_config(self) -> None:
        listen = self._listen
        host = f"[{listen.host}]" if ":" in listen.host else listen.host
        settings: dict[str, typing.Any] = {
            "bind": [f"{host}:{listen.port}"],
            "workers": listen.workers,
            "threads": listen.threads,
            "worker_class": "gthread",
            "backlog": listen.backlog,
            "graceful_timeout": int(listen.drain),
            "keepalive": listen.keep_alive,
            "timeout": 120,
            "limit_request_line": 8190,
            "logger_class": _Log,
            "proc_name": "trove-api",
            "when_ready": lambda _arbiter: greenworkers.say_ready(listen.ready_file),
            "on_exit": lambda _arbiter: greenworkers.say_gone(listen.ready_file),
        }
        if "control_socket_disable" in self.cfg.settings:  # since gunicorn 25.1
            settings["control_socket_disable"] = True
        context = listen.tls()
        if context is not None:
            settings["certfile"], settings["keyfile"] = listen.certificate, listen.key
            settings["ssl_context"] = lambda _config, _default: context
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Application:
        return self._load()


def serve(load: typing.Callable[[], Application], listen: Listen) -> int:
    """Until SIGTERM. ``load`` is called in each worker, never in the parent."""
    if concurrency.is_green():
        parent = greenworkers.GreenWorkers(
            load,
            listen.socket(),
            listen.tls(),
            workers=listen.workers,
            connections=listen.threads * 64,
            keep_alive=listen.keep_alive,
            drain=listen.drain,
            ready_file=listen.ready_file,
        )
        return parent.run()
    try:
        _Threaded(load, listen).run()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    return 0
