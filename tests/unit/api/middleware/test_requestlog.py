# SPDX-License-Identifier: Apache-2.0
"""One line a request, with nothing in it that is secret or breaks the line."""

import logging

import pytest
import webob

from trove.api.middleware.requestlog import RequestLog


def test_a_line(caplog: pytest.LogCaptureFixture) -> None:
    times = iter([10.0, 10.25])
    request = webob.Request.blank(
        "/v1.0/p/instances/a%0Ab?password=hunter2",
        method="POST",
        body=b"hunter2",
        headers={"X-Auth-Token": "hunter2", "X-Project-Id": "p", "X-User-Id": "u"},
    )
    inner = webob.Response(status=202, body=b"abc")
    with caplog.at_level(logging.INFO):
        request.get_response(RequestLog(inner, lambda: next(times)))
    (line,) = [r.getMessage() for r in caplog.records if "instances" in r.getMessage()]
    assert "POST /v1.0/p/instances/a%0Ab from" in line
    assert "project p, user u: 202, 3 bytes, 0.250 s" in line
    assert "hunter2" not in line and "\n" not in line
