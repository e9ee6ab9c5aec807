# SPDX-License-Identifier: Apache-2.0
"""The token's project is the path's project, for admins too.

Behind keystonemiddleware, which removes every X-Project-Id and X-Roles of a client and
sets them from the token. A request that it did not confirm ends here.
"""

import typing

import webob
import webob.dec

from trove import errors
from trove.api import faults, paths
from trove.api.links import VERSION

CONFIRMED = "Confirmed"


class TokenAuth:
    """Refuses a path of another project."""

    def __init__(self, application: typing.Any) -> None:
        self.application = application

    @webob.dec.wsgify
    def __call__(self, request: webob.Request) -> typing.Any:
        environ = request.environ
        if environ.get("HTTP_X_IDENTITY_STATUS") != CONFIRMED:
            raise faults.Unauthorized()
        segments = paths.segments(environ)
        if len(segments) > 1 and segments[0] == VERSION:
            project = environ.get("HTTP_X_PROJECT_ID")
            if not project or segments[1] != project:
                raise errors.Forbidden(
                    "The token is not for the project in the path of the request."
                )
        return self.application
