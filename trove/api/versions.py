# SPDX-License-Identifier: Apache-2.0
"""The version documents, and the API's description: for anybody, without a token.

GET /, /v1.0 and /v1.0/openapi.json.
"""

import json
import typing

import webob
import webob.dec

from trove.api import faults, paths, wire
from trove.api.links import VERSION

DESCRIPTION = "openapi.json"
UPDATED = "2012-08-01T00:00:00Z"


class Versions:
    """Answers for the documents and hands everything else on."""

    def __init__(
        self, application: typing.Any, public_endpoint: str | None = None
    ) -> None:
        self.application = application
        self._endpoint = public_endpoint
        self._description = b""

    @webob.dec.wsgify
    def __call__(self, request: webob.Request) -> typing.Any:
        segments = paths.segments(request.environ)
        if segments not in ([], [VERSION], [VERSION, DESCRIPTION]):
            return self.application
        if request.method not in ("GET", "HEAD"):
            raise faults.MethodNotAllowed(method=request.method, allow="GET, HEAD")
        if DESCRIPTION in segments:
            return webob.Response(body=self._described(), content_type=wire.JSON)
        version = self._version(request)
        body = {"version": version} if segments else {"versions": [version]}
        as_xml = wire.wants_xml(request.headers.get("Accept"))
        return webob.Response(
            body=wire.write(body, as_xml),
            content_type=wire.XML if as_xml else wire.JSON,
        )

    def _described(self) -> bytes:
        """Made when it is first asked for, and kept: it never changes."""
        if not self._description:
            from trove.api.openapi import document  # start-up time, for few who ask
            from trove.api.resources import TABLE

            self._description = json.dumps(document(TABLE.routes)).encode()
        return self._description

    def _version(self, request: webob.Request) -> dict[str, typing.Any]:
        base = (self._endpoint or request.application_url).rstrip("/")
        return {
            "id": VERSION,
            "status": "CURRENT",
            "updated": UPDATED,
            "links": [{"rel": "self", "href": f"{base}/{VERSION}/"}],
        }
