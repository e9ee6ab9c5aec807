# SPDX-License-Identifier: Apache-2.0
"""Builds the Context of a request from what keystonemiddleware confirmed."""

import typing
from collections.abc import Callable

import webob
import webob.dec

from trove.api.middleware.faults import REQUEST_ID
from trove.api.router import CONTEXT
from trove.context import Context, new_request_id

Judge = Callable[[Context], bool]


class ContextOf:
    """``is_admin`` is the policy's word on who counts as an admin."""

    def __init__(self, application: typing.Any, is_admin: Judge) -> None:
        self.application = application
        self._is_admin = is_admin

    @webob.dec.wsgify
    def __call__(self, request: webob.Request) -> typing.Any:
        environ = request.environ
        asked = {
            "project": environ.get("HTTP_X_PROJECT_ID"),
            "user": environ.get("HTTP_X_USER_ID"),
            "roles": [
                role.strip()
                for role in environ.get("HTTP_X_ROLES", "").split(",")
                if role.strip()
            ],
            "request_id": environ.get(REQUEST_ID) or new_request_id(),
        }
        known = Context.from_dict(asked)
        environ[CONTEXT] = Context.from_dict(
            {**asked, "is_admin": self._is_admin(known)}
        )
        return self.application
