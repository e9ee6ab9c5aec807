# SPDX-License-Identifier: Apache-2.0
"""The WSGI application: finds the service and the call, answers in JSON."""

import html
import http
import json
import typing

import webob
import webob.exc

from trove import errors
from trove.localcloud.web import (
    barbican,
    calls,
    cinder,
    glance,
    neutron,
    nova,
    versions,
)

FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    406: "computeFault",
    409: "conflictingRequest",
    413: "overLimit",
    501: "notImplemented",
}
SERVICES: dict[str, tuple[calls.Route, ...]] = {
    "compute": nova.ROUTES,
    "volume": cinder.ROUTES,
    "network": neutron.ROUTES,
    "image": glance.ROUTES,
    "key-manager": barbican.ROUTES,
}


class Application:
    """The services by the first part of the path; the caller is known."""

    def __init__(self, cloud: calls.Cloud) -> None:
        self._cloud = cloud

    def __call__(
        self, environ: dict[str, typing.Any], start_response: typing.Any
    ) -> typing.Any:
        request = webob.Request(environ)
        return self._answer(request)(environ, start_response)

    def _answer(self, request: webob.Request) -> webob.Response:
        service, _, path = request.path_info.lstrip("/").partition("/")
        if service not in SERVICES:
            return webob.exc.HTTPNotFound()
        call = _call(self._cloud, request, service)
        try:
            call.version = versions.negotiate(service, request)
            response = self._find(call, path)
        except calls.Fault as fault:
            response = _refusal(call, fault)
        except errors.TroveError as error:
            response = _refusal(call, calls.fault_of(error))
        versions.tell(response, service, call.version)
        response.headers["x-openstack-request-id"] = request.environ.get(
            "openstack.request_id", f"req-{id(request):x}"
        )
        return response

    def _find(self, call: calls.Call, path: str) -> webob.Response:
        verbs = set()
        for line in SERVICES[call.service]:
            match = line.pattern.fullmatch(path)
            if match is None:
                continue
            verbs.add(line.verb)
            if line.verb != call.request.method:
                continue
            if line.verb not in ("GET", "HEAD") and not call.may_write():
                raise calls.Fault(403, "Policy doesn't allow this to be performed.")
            said = line.action(call, **_ids(call, match.groupdict()))
            return _response(line.status, said)
        if verbs:
            raise calls.Fault(405, "The method is not allowed for this resource.")
        raise calls.Fault(404, "The resource could not be found.")


def _ids(call: calls.Call, found: dict[str, str]) -> dict[str, str]:
    """The names in the path; the project in it must be the caller's own."""
    project = found.pop("project_id", None)
    if project is not None and project != call.project and not call.admin:
        raise calls.Fault(403, "The project in the path is not the token's.")
    return found


def _call(cloud: calls.Cloud, request: webob.Request, service: str) -> calls.Call:
    headers = request.headers
    roles = headers.get("X-Roles", "").split(",")
    return calls.Call(
        cloud=cloud,
        request=request,
        service=service,
        project=headers.get("X-Project-Id", ""),
        user=headers.get("X-User-Id", ""),
        roles=frozenset(role.strip().lower() for role in roles if role.strip()),
    )


def _response(status: int, said: typing.Any) -> webob.Response:
    if isinstance(said, webob.Response):
        return said
    if isinstance(said, calls.Said):
        status, said = said.status, said.body
    response = webob.Response(status=status)
    if said is None:
        response.body = b""
        response.headers.pop("Content-Type", None)
        return response
    response.content_type = "application/json"
    response.charset = "UTF-8"
    response.body = json.dumps(said).encode()
    return response


def _refusal(call: calls.Call, fault: calls.Fault) -> webob.Response:
    if call.service == "network":
        named = fault.type or f"HTTP{fault.status}"
        said: dict[str, typing.Any] = {
            "NeutronError": {"type": named, "message": fault.message, "detail": ""}
        }
    elif call.service == "image":
        return _page(fault)
    elif call.service == "key-manager":
        title = http.HTTPStatus(fault.status).phrase
        said = {"code": fault.status, "title": title, "description": fault.message}
    else:
        key = FAULTS.get(fault.status, "computeFault")
        said = {key: {"code": fault.status, "message": fault.message}}
    return _response(fault.status, said)


def _page(fault: calls.Fault) -> webob.Response:
    """Glance refuses in HTML, whatever its caller accepts."""
    phrase = http.HTTPStatus(fault.status).phrase
    title, why = f"{fault.status} {phrase}", html.escape(fault.message)
    text = (
        f"<html>\n <head>\n  <title>{title}</title>\n </head>\n"
        f" <body>\n  <h1>{title}</h1>\n  {why}<br /><br />\n </body>\n</html>"
    )
    return webob.Response(text, status=fault.status, content_type="text/html")
