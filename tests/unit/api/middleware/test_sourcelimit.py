# SPDX-License-Identifier: Apache-2.0
"""Who comes without a token is counted by where from; who has one is not (S20)."""

import typing

import pytest
import webob
import webob.exc

from trove import errors
from trove.api import faults
from trove.api.middleware.ratelimit import Buckets
from trove.api.middleware.sourcelimit import SourceLimit, limit, source


class Inside:
    """What is behind the limit: a 401 for everybody but ``good``."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, environ: dict[str, typing.Any], start: typing.Any) -> typing.Any:
        token = environ.get("HTTP_X_AUTH_TOKEN", "")
        self.asked.append(token)
        if token == "raises":
            raise faults.Unauthorized()
        status = 200 if token == "good" else 401
        return webob.Response(status=status)(environ, start)


def ask(limiter: SourceLimit, token: str, address: str = "192.0.2.7") -> int:
    request = webob.Request.blank("/v1.0/p/instances")
    request.headers["X-Auth-Token"] = token
    request.environ["REMOTE_ADDR"] = address
    try:
        return int(request.get_response(limiter).status_int)
    except errors.RateLimited as refused:
        assert refused.facts["retry_after"] == 20
        return 413
    except faults.Unauthorized:
        return 401


def test_those_without_a_token_are_counted_and_then_not_looked_at() -> None:
    inside = Inside()
    now = [0.0]
    limiter = SourceLimit(inside, Buckets(limit(3), clock=lambda: now[0]))
    asked = ["bad", "good", "raises", "good", "bad", "good", "bad"]
    assert [ask(limiter, token) for token in asked] == [401, 200, 401, 200, 401] + [
        413,
        413,
    ]
    assert len(inside.asked) == 5
    assert ask(limiter, "good", "192.0.2.8") == 200
    now[0] += 20
    assert ask(limiter, "good") == 200
    assert ask(limiter, "bad") == 401
    assert ask(limiter, "good") == 413


def test_who_has_a_token_is_not_remembered() -> None:
    buckets = Buckets(limit(3))
    limiter = SourceLimit(Inside(), buckets)
    for number in range(50):
        assert ask(limiter, "good", f"192.0.2.{number}") == 200
    assert len(buckets._left) == 0


def test_nought_and_a_local_socket_are_without_limit() -> None:
    limiter = SourceLimit(Inside(), Buckets(limit(0)))
    assert {ask(limiter, "bad") for _ in range(10)} == {401}
    limiter = SourceLimit(Inside(), Buckets(limit(1)))
    assert {ask(limiter, "bad", "") for _ in range(10)} == {401}


@pytest.mark.parametrize(
    ("address", "who"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("made up, 198.51.100.1, 192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::"),
        ('"[2001:db8:1:2::ffff]:4711"', "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unknown", "?"),
        ("x" * 10_000, "?"),
    ],
)
def test_one_source_has_one_name(address: str, who: str) -> None:
    assert source(address) == who
