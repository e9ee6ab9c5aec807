# SPDX-License-Identifier: Apache-2.0
"""Turns every error of what is inside it into the one envelope, in JSON or XML.

Also other people's: a 401 of keystonemiddleware, a 413 of the size limiter. What nobody
expected is logged with its traceback and told as a 500 with the request's id alone.
"""

import logging
import typing

import webob
import webob.dec
import webob.exc

from trove import errors
from trove.api import faults, wire
from trove.context import new_request_id

LOG = logging.getLogger(__name__)
REQUEST_ID = "openstack.request_id"
KEPT = ("WWW-Authenticate", "Retry-After", "Allow")
"""Headers of other people's errors that mean something to a client."""

EVERY = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""Of every answer: it is its caller's alone, and no browser's to guess about."""


class Faults:
    """The outermost thing that a caller's request can break."""

    def __init__(self, application: typing.Any) -> None:
        self.application = application

    @webob.dec.wsgify
    def __call__(self, request: webob.Request) -> webob.Response:
        response = self._answer(request)
        response.headers.update(EVERY)
        return response

    def _answer(self, request: webob.Request) -> webob.Response:
        request_id = request.environ.setdefault(REQUEST_ID, new_request_id())
        # pecan is kept from these; they are read here before it is reached
        as_xml = wire.wants_xml(request.headers.get("Accept"))
        try:
            response = request.get_response(self.application)
        except errors.TroveError as error:
            status, body, headers = faults.described(error, request_id)
            if status >= 500 and not isinstance(error, errors.Unsupported):
                LOG.exception("request %s failed: %s", request_id, error)
            return _response(status, body, headers, as_xml)
        except webob.exc.HTTPException as raised:
            response = raised
        except Exception:
            LOG.exception("request %s failed", request_id)
            sentence = faults.sentence_of(500, request_id)
            return _response(500, faults.body(500, sentence), {}, as_xml)
        if response.status_int < 400:
            return response
        status = response.status_int
        kept = {
            name: response.headers[name] for name in KEPT if name in response.headers
        }
        body = faults.body(status, faults.sentence_of(status, request_id))
        return _response(status, body, kept, as_xml)


def _response(
    status: int, body: dict[str, typing.Any], headers: dict[str, str], as_xml: bool
) -> webob.Response:
    if as_xml:
        data, kind = _xml(body), wire.XML
    else:
        data, kind = wire.write(body, as_xml=False), wire.JSON
    response = webob.Response(status=status, body=data, content_type=kind)
    response.headers.update(headers)
    return response


def _xml(body: dict[str, typing.Any]) -> bytes:
    """A fault's code is an attribute, its sentences are elements."""
    return wire.write(body, as_xml=True)
