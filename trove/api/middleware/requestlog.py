# SPDX-License-Identifier: Apache-2.0
"""One line a request: who, what, how it ended, how long. Never a body or token."""

import logging
import time
import typing
from collections.abc import Callable

import webob
import webob.dec

from trove.api import paths
from trove.api.middleware.faults import REQUEST_ID

LOG = logging.getLogger(__name__)


class RequestLog:
    """Logs what comes out of the pipeline inside it."""

    def __init__(
        self, application: typing.Any, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.application = application
        self._clock = clock

    @webob.dec.wsgify
    def __call__(self, request: webob.Request) -> webob.Response:
        began = self._clock()
        path = paths.quoted(request.environ)
        response = request.get_response(self.application)
        environ = request.environ
        LOG.info(
            "%s %s %s from %s, project %s, user %s: %s, %d bytes, %.3f s",
            environ.get(REQUEST_ID, "-"),
            request.method,
            path,
            environ.get("REMOTE_ADDR", "-"),
            environ.get("HTTP_X_PROJECT_ID", "-"),
            environ.get("HTTP_X_USER_ID", "-"),
            response.status_int,
            response.content_length or 0,
            self._clock() - began,
        )
        return response
