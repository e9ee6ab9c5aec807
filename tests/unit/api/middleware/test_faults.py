# SPDX-License-Identifier: Apache-2.0
"""Whatever goes wrong inside comes out in the envelope, and tells no secrets."""

import logging
import typing

import pytest
import webob
import webob.exc

from trove import errors
from trove.api.middleware.faults import Faults


def answer(inner: typing.Any, accept: str = "application/json") -> webob.Response:
    request = webob.Request.blank("/", headers={"Accept": accept})
    return request.get_response(Faults(inner))


def raising(error: Exception) -> typing.Any:
    def inner(environ: object, start: object) -> typing.NoReturn:
        raise error

    return inner


def test_an_error_of_ours() -> None:
    got = answer(raising(errors.InstanceNotFound(id="7")))
    assert got.status_int == 404
    assert got.json == {
        "itemNotFound": {"code": 404, "message": "Instance 7 cannot be found."}
    }


def test_in_xml() -> None:
    got = answer(raising(errors.InstanceNotFound(id="7")), "application/xml")
    assert got.content_type == "application/xml"
    assert b'code="404"><message>Instance 7 cannot be found.</message>' in got.body


def test_what_nobody_expected(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        got = answer(raising(KeyError("hunter2")))
    assert got.status_int == 500
    assert "hunter2" not in got.text and "KeyError" not in got.text
    assert "req-" in got.json["instanceFault"]["message"]
    assert "KeyError" in caplog.text


def test_other_peoples_exceptions_and_answers() -> None:
    for inner in (
        raising(webob.exc.HTTPRequestEntityTooLarge("<b>big</b>")),
        webob.exc.HTTPRequestEntityTooLarge("<b>big</b>"),
    ):
        got = answer(inner)
        assert got.status_int == 413
        assert got.json["overLimit"]["code"] == 413
        assert "<b>" not in got.text


def test_their_headers_that_matter_stay() -> None:
    inner = webob.Response(status=401)
    inner.headers["WWW-Authenticate"] = "Keystone uri='x'"
    inner.headers["X-Powered-By"] = "something"
    got = answer(inner)
    assert got.headers["WWW-Authenticate"] == "Keystone uri='x'"
    assert "X-Powered-By" not in got.headers
    assert got.json["unauthorized"]["code"] == 401


def test_what_is_no_error_passes() -> None:
    got = answer(webob.Response(status=202, body=b"x", content_type="text/plain"))
    assert (got.status_int, got.body) == (202, b"x")
