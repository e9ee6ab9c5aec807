# SPDX-License-Identifier: Apache-2.0
"""The version documents: GET / and /v1.0, for anybody, before a token is asked for."""

import typing

import webob
import webob.dec

from trove.api import faults, paths, wire
from trove.api.links import VERSION

UPDATED = "2012-08-01T00:00:00Z"


class Versions:
    """Answers for the documents and hands everything else on."""

    def __init__(
        self, application: typing.Any, public_endpoint: str | None = None
    ) -> None:
        self.application = application
        self._endpoint = public_endpoint

    @webob.dec.wsgify
    def __call__(self, request: webob.Request) -> typing.Any:
        segments = paths.segments(request.environ)
        if segments not in ([], [VERSION]):
            return self.application
        if request.method not in ("GET", "HEAD"):
            raise faults.MethodNotAllowed(method=request.method, allow="GET, HEAD")
        version = self._version(request)
        body = {"version": version} if segments else {"versions": [version]}
        as_xml = wire.wants_xml(request.headers.get("Accept"))
        return webob.Response(
            body=wire.write(body, as_xml),
            content_type=wire.XML if as_xml else wire.JSON,
        )

    def _version(self, request: webob.Request) -> dict[str, typing.Any]:
        base = (self._endpoint or request.application_url).rstrip("/")
        return {
            "id": VERSION,
            "status": "CURRENT",
            "updated": UPDATED,
            "links": [{"rel": "self", "href": f"{base}/{VERSION}/"}],
        }
