# SPDX-License-Identifier: Apache-2.0
"""The caller's object store is found in the catalogue that came with the token."""

import json

import pytest

from trove import errors
from trove.actions.services import Settings
from trove.api import objectstore


def environ(*services: object, token: str | None = "t") -> dict[str, str | None]:
    return {
        "HTTP_X_AUTH_TOKEN": token,
        "HTTP_X_SERVICE_CATALOG": json.dumps(list(services)),
    }


def store(region: str = "RegionOne", **urls: str) -> dict[str, object]:
    return {"type": "object-store", "endpoints": [{"region": region, **urls}]}


COMPUTE = {"type": "compute", "endpoints": [{"publicURL": "http://127.0.0.1:9"}]}


def test_the_address_of_the_region_and_interface_is_signed_for():
    catalogue = environ(
        COMPUTE,
        store("elsewhere", publicURL="http://127.0.0.1:1/v1/a"),
        store(
            publicURL="http://127.0.0.1:2/v1/a", internalURL="http://127.0.0.1:3/v1/a"
        ),
    )
    for interface, port in (("public", 2), ("internal", 3)):
        there = objectstore.opened(catalogue, Settings(interface=interface))
        url, _ = there.signed("logs", "i/x", "key", 60)
        assert url == f"http://127.0.0.1:{port}/v1/a/logs/i/x"
        there.close()


@pytest.mark.parametrize(
    "asked",
    [
        {},
        environ(),
        environ(COMPUTE),
        environ("nonsense"),
        environ(store(publicURL="http://127.0.0.1:1/v1/a"), token=None),
        environ(store("elsewhere", publicURL="http://127.0.0.1:1/v1/a")),
        {"HTTP_X_AUTH_TOKEN": "t", "HTTP_X_SERVICE_CATALOG": "{"},
    ],
)
def test_where_there_is_none_it_is_said(asked):
    with pytest.raises(errors.Unsupported, match="no object store"):
        objectstore.opened(asked, Settings())
