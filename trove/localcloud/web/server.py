# SPDX-License-Identifier: Apache-2.0
"""The HTTP server: a thread for each request, behind Keystone's middleware."""

import logging
import re
import socketserver
import typing
import wsgiref.simple_server

from keystonemiddleware import auth_token

from trove.localcloud import identity, layout
from trove.localcloud.objects import Objects
from trove.localcloud.web import app, calls, swift, versions

LOG = logging.getLogger(__name__)
QUERY = re.compile(r"\?\S*")
IDLE = 120
"""Seconds after which a client that says nothing is let go."""


class _Handler(wsgiref.simple_server.WSGIRequestHandler):
    """One request; its line goes to the log, not to standard error."""

    timeout = IDLE

    def log_message(self, format: str, *args: typing.Any) -> None:
        # a query may hold the signature of a URL that is good for a while
        LOG.debug(format, *(QUERY.sub("?", str(each)) for each in args))


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    """A server with a thread for each connection."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: str, port: int, application: typing.Any) -> None:
        super().__init__((address, port), _Handler)
        self.set_app(application)

    def handle_error(self, request: typing.Any, client_address: typing.Any) -> None:
        """A client that went away is no error of ours."""
        LOG.info("a request of %s was not finished", client_address, exc_info=True)


def guarded(application: app.Application, place: layout.Layout) -> typing.Any:
    """The application behind Keystone's middleware; version documents need no token."""
    behind = _asking(application, place, delay_auth_decision=False)
    endpoint = f"http://127.0.0.1:{place.cloud_port}"

    def front(environ: dict[str, typing.Any], start_response: typing.Any) -> typing.Any:
        document = versions.document(environ, endpoint)
        return (document or behind)(environ, start_response)

    return front


def _asking(
    application: typing.Any, place: layout.Layout, **about: typing.Any
) -> typing.Any:
    """Keystone's middleware before an application."""
    conf = {
        "auth_type": "password",
        "auth_url": identity.url(place),
        "www_authenticate_uri": identity.url(place),
        "username": "trove",
        "password": identity.passwords(place)["trove"],
        "project_name": identity.SERVICE,
        "user_domain_name": "Default",
        "project_domain_name": "Default",
        "region_name": identity.REGION,
        "include_service_catalog": False,
        **about,
    }
    return auth_token.AuthProtocol(application, conf)


def make(cloud: calls.Cloud, place: layout.Layout) -> Server:
    """The server of a deployment, bound to its port."""
    application = guarded(app.Application(cloud), place)
    return Server("127.0.0.1", place.cloud_port, application)


def objects(store: Objects, place: layout.Layout) -> Server:
    """The object store's, on the guests' network: a signed URL needs no token."""
    application = _asking(swift.Application(store), place, delay_auth_decision=True)
    return Server(place.host_address, place.object_port, application)
