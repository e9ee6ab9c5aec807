# SPDX-License-Identifier: Apache-2.0
"""The eventlet file: which concurrency backend a process has, chosen before anything.

``[DEFAULT] concurrency_backend`` is read with a bare ``ConfigOpts`` before any other
module is imported; then the standard library is patched (eventlet only), then
oslo.service is told. Everything else in the product is plain blocking code, and no
other module imports eventlet.
"""

import os
import socket
import ssl
import typing
import warnings

from oslo_config import cfg

from trove.config import service as options

EVENTLET = "eventlet"
THREADING = "threading"

_WHERE = ("--config-file", "--config-dir")


def _where_the_options_are(argv: typing.Sequence[str]) -> list[str]:
    """Only the arguments that name configuration files: others are not known yet."""
    kept: list[str] = []
    following = False
    for argument in argv:
        if following or argument.startswith(tuple(f"{name}=" for name in _WHERE)):
            kept.append(argument)
            following = False
        elif argument in _WHERE:
            kept.append(argument)
            following = True
    return kept


def choose(argv: typing.Sequence[str], prog: str) -> str:
    """The backend that the configuration asks for."""
    bare = cfg.ConfigOpts()
    bare.register_opt(options.BACKEND)
    bare(_where_the_options_are(argv), project="trove", prog=prog)
    asked: str = bare.concurrency_backend
    return THREADING if asked == "auto" else asked


def prepare(argv: typing.Sequence[str], prog: str) -> str:
    """Patch if need be and tell oslo.service; the first thing a process does."""
    backend = choose(argv, prog)
    _quieten()
    if backend == EVENTLET:
        import eventlet

        # Its DNS resolver costs 7 MB and ignores nsswitch; the system's will do.
        os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")
        eventlet.monkey_patch()
    from oslo_service import backend as oslo_backend

    oslo_backend.init_backend(oslo_backend.BackendType(backend))
    return backend


def _quieten() -> None:
    """Eventlet announces its end at each import and fork; the manual does it once."""
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    warnings.filterwarnings("ignore", message=r"Using fork\(\) is a bad idea")
    warnings.filterwarnings("ignore", message=r"Eventlet usages are deprecated")
    warnings.filterwarnings("ignore", message=r"eventletutils module is deprecated")


def is_green() -> bool:
    """Whether this process was patched."""
    from oslo_service import backend as oslo_backend

    return oslo_backend.get_backend_type() is oslo_backend.BackendType.EVENTLET


def after_fork() -> None:
    """In a green child: a hub of its own, or it would share the parent's epoll."""
    import eventlet.hubs

    eventlet.hubs.use_hub()


class GreenServer:
    """Serves one WSGI application in one process, in green threads."""

    def __init__(
        self,
        listener: socket.socket,
        tls: ssl.SSLContext | None,
        *,
        connections: int,
        keep_alive: float,
    ) -> None:
        self._listener = listener
        self._tls = tls
        self._connections = connections
        self._keep_alive = keep_alive
        self._stopping = False

    def stop(self) -> None:
        """Asked from a signal handler: ``serve`` notices within half a second."""
        self._stopping = True

    def serve(self, application: typing.Any, drain: float) -> bool:
        """Until ``stop``; then answer what was begun. False: some had to be cut."""
        import eventlet
        import eventlet.greenio
        import eventlet.wsgi

        listener = eventlet.greenio.GreenSocket(self._listener)
        if self._tls is not None:
            from eventlet.green import ssl as green_ssl

            listener = green_ssl.GreenSSLSocket(
                listener, server_side=True, _context=self._tls
            )
        accepting = eventlet.spawn(
            eventlet.wsgi.server,
            listener,
            application,
            max_size=self._connections,
            keepalive=self._keep_alive,
            log_output=False,
            debug=False,
            socket_timeout=60,
        )
        parent = os.getppid()
        while not self._stopping and not accepting.dead and os.getppid() == parent:
            eventlet.sleep(0.5)
        accepting.kill()
        with eventlet.Timeout(drain, False):
            while not accepting.dead:
                eventlet.sleep(0.05)
        return bool(accepting.dead)
