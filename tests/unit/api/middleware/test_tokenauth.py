# SPDX-License-Identifier: Apache-2.0
"""The path's project is the token's, however the path is written."""

import pytest
import webob

from trove import errors
from trove.api import faults
from trove.api.middleware.tokenauth import TokenAuth

CONFIRMED = {"X-Identity-Status": "Confirmed", "X-Project-Id": "mine"}


def ask(path: str, headers: dict[str, str]) -> webob.Response:
    request = webob.Request.blank(path, headers=headers)
    return request.get_response(TokenAuth(webob.Response(body=b"in")))


def test_ones_own() -> None:
    assert ask("/v1.0/mine/instances", CONFIRMED).body == b"in"
    assert ask("/v1.0/%6dine/instances", CONFIRMED).body == b"in"


@pytest.mark.parametrize(
    "path", ["/v1.0/theirs/x", "/v1.0//x", "/v1.0/MINE/x", "/v1.0/mine%20/x"]
)
def test_anothers(path: str) -> None:
    with pytest.raises(errors.Forbidden):
        ask(path, CONFIRMED)


def test_a_token_without_a_project() -> None:
    with pytest.raises(errors.Forbidden):
        ask("/v1.0/mine/x", {"X-Identity-Status": "Confirmed"})


@pytest.mark.parametrize("status", ["Invalid", "", "confirmed"])
def test_a_token_nobody_confirmed(status: str) -> None:
    with pytest.raises(faults.Unauthorized):
        ask("/v1.0/mine/x", {**CONFIRMED, "X-Identity-Status": status})
