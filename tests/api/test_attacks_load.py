# SPDX-License-Identifier: Apache-2.0
"""S18, S20, S21: bodies that grow, floods before a token is looked at, shared state."""

import copy
import dataclasses
import gc
import itertools
import json
import logging
import sys
import time
import tracemalloc
import typing

import pytest
import webob

from tests.api.test_hostile import BOMB
from tests.api.world import World
from trove.api import faults, schemas, wire
from trove.api.middleware import ratelimit
from trove.api.middleware.ratelimit import Buckets, Limit, RateLimit
from trove.api.resources import TABLE
from trove.api.resources.creation import CREATE
from trove.model import health, operations, quotas, states

QUICK = 5.0
"""Seconds that no body may take, on a machine that does other things too."""
SMALL = 64 * 1024 * 1024
"""Bytes that no body of a few hundred kilobytes may take."""

GOOD = '{"instance": {"name": "a", "flavorRef": "1", "volume": {"size": 1}%s}}'
_N = 60_000

BODIES: dict[str, tuple[str, str, int]] = {
    "a billion laughs": ("xml", BOMB, 400),
    "quadratic laughs": (
        "xml",
        f'<!DOCTYPE a [<!ENTITY b "{"x" * _N}">]><instance name="{"&b;" * _N}"/>',
        400,
    ),
    "parameter entities": (
        "xml",
        '<!DOCTYPE a [<!ENTITY % b SYSTEM "file:///etc/passwd"> %b;]><instance/>',
        400,
    ),
    "a public DTD": (
        "xml",
        '<!DOCTYPE a PUBLIC "-//W3C//DTD" "http://127.0.0.1:1/x"><instance/>',
        400,
    ),
    "an internal subset": ("xml", "<!DOCTYPE a [<!ELEMENT a ANY>]><instance/>", 400),
    "XInclude": (
        "xml",
        '<instance xmlns:xi="http://www.w3.org/2001/XInclude">'
        '<xi:include href="file:///etc/passwd" parse="text"/></instance>',
        400,
    ),
    "a stylesheet": (
        "xml",
        '<?xml-stylesheet href="http://127.0.0.1:1/x"?><instance/>',
        400,
    ),
    "deep XML": ("xml", "<instance>" + "<a>" * _N, 400),
    "deep and closed XML": ("xml", "<instance>" * _N + "</instance>" * _N, 400),
    "deep JSON": ("json", "[" * _N, 400),
    "deep and closed JSON": ("json", '{"a":' * _N + "1" + "}" * _N, 400),
    "deep after a text": ("json", '{"a": "' + '\\"' * _N + '", "b": ' + "[" * _N, 400),
    "a number of many digits": ("json", GOOD % (', "x": ' + "9" * _N), 400),
    "an exponent": ("json", GOOD % ', "x": 1e999999999', 400),
    "a negative exponent": ("json", GOOD % ', "x": 1e-999999999', 200),
    "NaN": ("json", GOOD % ', "x": NaN', 400),
    "Infinity": ("json", GOOD % ', "x": -Infinity', 400),
    "a key twice": ("json", GOOD % ', "name": "b"', 400),
    "a root twice": ("json", '{"instance": {}, "instance": {"name": "a"}}', 400),
    "an attribute and an element": (
        "xml",
        '<instance name="a" flavorRef="1"><name>b</name><volume size="1"/></instance>',
        400,
    ),
    "an element twice": (
        "xml",
        '<instance flavorRef="1"><name>a</name><name>b</name>'
        '<volume size="1"/></instance>',
        400,
    ),
    "many keys": (
        "json",
        json.dumps({"instance": {f"k{n}": n for n in range(_N // 4)}}),
        400,
    ),
    "many of one list": (
        "json",
        GOOD % (', "databases": [' + ",".join(['{"name": "d"}'] * 5000) + "]"),
        400,
    ),
    "a pattern's worst case": (
        "json",
        json.dumps(
            {
                "instance": {
                    "name": "\u00e9" * 255,
                    "flavorRef": "1",
                    "volume": {"size": "0" * 39 + "x"},
                }
            }
        ),
        400,
    ),
}


@pytest.mark.parametrize("what", BODIES)
def test_a_bomb_is_refused_small_and_quick(world: World, what: str) -> None:
    """S18: 400 in the envelope, in bounded time and memory."""
    kind, text, status = BODIES[what]
    data = text.encode()
    world.ask("GET", "limits")
    gc.collect()
    tracemalloc.start()
    began = time.process_time()
    answer = world.ask(
        "POST", "instances", data=data, content_type=f"application/{kind}"
    )
    took = time.process_time() - began
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status_int == status, answer.text[:300]
    if status == 400:
        assert list(answer.json) == ["badRequest"]
        assert answer.json["badRequest"]["code"] == 400
        assert len(answer.body) < 2000
    assert "root:" not in answer.text
    assert took < QUICK, took
    assert most < SMALL, most


# -- S20 ---------------------------------------------------------------------------


def test_ten_thousand_requests_of_nobody_leave_nothing(world: World) -> None:
    """S20: refused before a bucket, a row, a context or a bell is made for them."""
    buckets = Buckets(
        ratelimit.limits(post=10, put=10, delete=10, get=10, mgmt_post=10)
    )
    from tests.api.world import Authenticator
    from trove.api import app

    application = app.pipeline(world.services, world.policy, Authenticator, buckets)

    def ask(number: int) -> int:
        request = webob.Request.blank(
            f"/v1.0/p{number}/instances",
            method="POST" if number % 2 else "GET",
            headers={
                "X-Auth-Token": f"token-{number}",
                "X-Project-Id": f"p{number}",
                "Idempotency-Key": f"k{number}",
            },
        )
        return int(request.get_response(application).status_int)

    def grown(first: int) -> int:
        gc.collect()
        before = sys.getallocatedblocks()
        assert {ask(number) for number in range(first, first + 2500)} == {401}
        gc.collect()
        return sys.getallocatedblocks() - before

    # The count is the whole process's, and its other threads make things too: what
    # requests leave is left in every round. A test's capture keeps each log record.
    logging.disable(logging.CRITICAL)
    try:
        rounds = [grown(first) for first in range(0, 10_000, 2500)]
    finally:
        logging.disable(logging.NOTSET)
    assert min(rounds) < 500, rounds
    assert len(buckets._left) == 0
    assert world.rung == []


def test_the_table_of_rates_is_bounded() -> None:
    """S20: however many projects there are."""
    limit = Limit("GET", "*", ".*", 100)
    buckets = Buckets([limit], clock=lambda: 0.0, most=100)
    for number in range(10_000):
        buckets.take(f"p{number}", "GET", "/instances")
    assert len(buckets._left) == 100


def test_one_project_does_not_use_up_anothers_rate() -> None:
    """S20: the limit is each project's own."""
    buckets = Buckets([Limit("GET", "*", ".*", 3)], clock=lambda: 0.0)
    asked = [buckets.take("a", "GET", "/") is None for _ in range(10)]
    assert asked == [True] * 3 + [False] * 7
    assert buckets.take("b", "GET", "/") is None


def test_no_spelling_of_a_path_or_verb_is_outside_the_limit() -> None:
    """S20: HEAD counts as GET; a path with escapes is the path it stands for."""
    limiter = RateLimit(
        lambda environ, start: start("200 OK", []) or [b""],
        Buckets([Limit("GET", "*", ".*", 3)], clock=lambda: 0.0),
    )
    statuses = []
    for path, method in (
        ("/v1.0/p/instances", "GET"),
        ("/v1.0/p/instances/", "HEAD"),
        ("/v1.0/p/%69nstances", "GET"),
        ("/v1.0/p//instances", "GET"),
    ):
        request = webob.Request.blank(path, method=method)
        request.environ["HTTP_X_PROJECT_ID"] = "p"
        try:
            statuses.append(request.get_response(limiter).status_int)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told below
            statuses.append(type(error).__name__)
    assert statuses == [200, 200, 200, "RateLimited"]


# -- S21 ---------------------------------------------------------------------------


def _shared() -> typing.Any:
    """What every request of the process reads."""
    return copy.deepcopy(
        {
            "create": CREATE,
            "schemas": {
                name: value
                for name, value in vars(schemas).items()
                if isinstance(value, dict) and not name.startswith("__")
            },
            "attributes": wire.ATTRIBUTES,
            "faults": [faults.KEYS, faults.SENTENCES],
            "deadlines": operations.DEADLINES,
            "words": [health.WORDS, health.SERVICE],
            "moves": states.MOVES,
            "resources": quotas.RESOURCES,
            "routes": [route.shown for route in TABLE.routes],
            "bodies": [route.op.body for route in TABLE.routes],
        }
    )


REQUESTS = [
    ("POST", "instances", {"instance": {"name": "a", "flavorRef": "1"}}),
    (
        "POST",
        "instances",
        {
            "instance": {
                "name": "a",
                "flavorRef": "1",
                "volume": {"size": 1},
                "access": {"allowed_cidrs": ["10.0.0.0/8"]},
                "databases": [{"name": "d"}],
                "users": [{"name": "u", "password": "p"}],
            }
        },
    ),
    ("PUT", "instances/$id", {"instance": {"name": "b"}}),
    ("PATCH", "instances/$id", {"instance": {"configuration": None}}),
    ("POST", "instances/$id/action", {"restart": {}}),
    ("POST", "instances/$id/action", {"resize": {"volume": {"size": 2}}}),
    ("POST", "instances/$id/action", {"reset_status": {}}),
    ("GET", "instances?limit=1&marker=x", None),
    ("GET", "instances/$id", None),
    ("GET", "flavors", None),
    ("GET", "datastores/mariadb/versions", None),
    ("GET", "mgmt/quotas/demo0000", None),
    ("PUT", "mgmt/quotas/demo0000", {"quotas": {"instances": 3, "__class__": 1}}),
    ("DELETE", "instances/$id", None),
]


def test_no_request_changes_what_all_requests_share(world: World) -> None:
    """S21: declarations, words, settings and options are as they were."""
    id = world.active()
    before, settings = _shared(), world.services.settings
    kept = dataclasses.asdict(settings)
    for caller, xml in itertools.product(
        ("member", "admin", "stranger"), (False, True)
    ):
        for method, path, body in REQUESTS:
            path = path.replace("$id", id)
            world.ask(method, path, copy.deepcopy(body), caller=caller, xml=xml)
    assert _shared() == before
    assert world.services.settings is settings
    assert dataclasses.asdict(settings) == kept


def test_what_is_decided_by_an_operator_cannot_be_set(world: World) -> None:
    """S21: a setting is frozen; so is whoever asks."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        world.services.settings.max_volume_size = 10**9  # type: ignore[misc]
    for route in TABLE.routes:
        with pytest.raises(dataclasses.FrozenInstanceError):
            route.op.rule = ""  # type: ignore[misc]
