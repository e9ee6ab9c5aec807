# SPDX-License-Identifier: Apache-2.0
"""The caller's key manager is found in the catalogue that came with the token."""

import json

import pytest

from trove import errors
from trove.actions.services import Settings
from trove.api import keymanager

ID = "7d84c370-5c7b-4fad-bf21-db1aba23caa4"


def environ(*services, token="t"):
    catalogue = json.dumps(list(services))
    return {"HTTP_X_AUTH_TOKEN": token, "HTTP_X_SERVICE_CATALOG": catalogue}


def service(region="RegionOne", **urls):
    return {"type": "key-manager", "endpoints": [{"region": region, **urls}]}


TWO = {"publicURL": "http://127.0.0.1:2", "internalURL": "http://127.0.0.1:3/keys"}


@pytest.mark.parametrize("interface", ["public", "internal"])
def test_the_interface_that_an_operator_names_is_asked(interface):
    settings = Settings(key_manager_interface=interface)
    there = keymanager.opened(environ("x", service("far"), service(**TWO)), settings)
    assert there._bases[0] == TWO[f"{interface}URL"]
    assert set(there._bases) == set(TWO.values())
    there.close()


@pytest.mark.parametrize(
    "asked",
    [
        {},
        environ(),
        environ("nonsense"),
        environ(service(**TWO), token=None),
        environ(service("elsewhere", **TWO)),
        environ(service(internalURL="http://127.0.0.1:3")),
        environ({**service(**TWO), "type": "object-store"}),
    ],
)
def test_where_there_is_none_it_is_said(asked):
    with pytest.raises(errors.Unsupported, match="no key manager"):
        keymanager.opened(asked, Settings())
