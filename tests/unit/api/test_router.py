# SPDX-License-Identifier: Apache-2.0
"""What the router takes from a request, and what it leaves."""

import io
import json

import pytest
import webob

from tests.api.world import World

BODY = json.dumps(
    {"instance": {"name": "a", "flavorRef": "1", "volume": {"size": 1}}}
).encode()


class Endless(io.RawIOBase):
    """An input that would be waited for."""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("nobody said that there is a body")


def posted(world: World, **environ: object) -> webob.Response:
    request = webob.Request.blank("/v1.0/demo0000/instances", method="POST")
    request.headers.update({"X-Test-Caller": "member"})
    request.environ.update({"CONTENT_TYPE": "application/json"})
    request.environ.pop("CONTENT_LENGTH", None)
    request.environ.update(environ)
    return request.get_response(world.application)


@pytest.mark.parametrize(
    "environ",
    [
        {"CONTENT_LENGTH": str(len(BODY))},
        {"wsgi.input_terminated": True},
        {"HTTP_TRANSFER_ENCODING": "chunked"},
    ],
)
def test_a_body_of_known_end(world: World, environ: dict[str, object]) -> None:
    environ["wsgi.input"] = io.BytesIO(BODY)
    assert posted(world, **environ).status_int == 200


def test_a_body_that_nobody_announced(world: World) -> None:
    assert posted(world, **{"wsgi.input": Endless()}).status_int == 400


@pytest.mark.parametrize("length", ["-5", "many", "\u0665"])
def test_a_length_that_is_none(world: World, length: str) -> None:
    answer = posted(world, **{"wsgi.input": Endless(), "CONTENT_LENGTH": length})
    assert answer.status_int == 400


def test_the_request_id_is_in_what_is_accepted(world: World) -> None:
    answer = posted(
        world,
        **{"CONTENT_LENGTH": str(len(BODY)), "wsgi.input": io.BytesIO(BODY)},
    )
    (operation,) = world.operations(answer.json["instance"]["id"])
    assert operation.request_id == answer.headers["x-openstack-request-id"]


def test_a_later_parameter_wins_and_many_are_refused(world: World) -> None:
    assert world.ask("GET", "instances?limit=x&limit=2").status_int == 200
    many = "&".join(f"a{n}=1" for n in range(100))
    assert world.ask("GET", f"instances?{many}").status_int == 400
