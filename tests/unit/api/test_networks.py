# SPDX-License-Identifier: Apache-2.0
"""Where networks are asked for: what came with the token, and nowhere else."""

import json

import pytest

from trove import errors
from trove.actions.services import Services
from trove.api import networks
from trove.cloud.memory import MemoryCloud


def services() -> Services:
    return Services(None, MemoryCloud(), print)  # type: ignore[arg-type]


def environ(*found: object, token: str | None = "t") -> dict[str, object]:
    return {"HTTP_X_AUTH_TOKEN": token, "HTTP_X_SERVICE_CATALOG": json.dumps(found)}


def service(kind: str, url: str, region: str = "RegionOne") -> dict[str, object]:
    return {"type": kind, "endpoints": [{"region": region, "publicURL": url}]}


def test_it_is_the_catalogues_in_our_region():
    given = services()
    given.cloud.world.private["net-1"] = "mine"
    seen = networks.opened(
        environ(
            service("compute", "memory:x"),
            service("network", "memory:x", "elsewhere"),
            service("network", "memory:mine"),
        ),
        given,
    )
    assert seen.network("net-1")


@pytest.mark.parametrize(
    "asked",
    [
        environ(),
        environ(service("compute", "memory:x")),
        environ(service("network", "memory:x", "elsewhere")),
        environ(service("network", "memory:x"), token=None),
    ],
)
def test_without_one_no_network_can_be_named(asked):
    with pytest.raises(errors.Unsupported, match="no network service"):
        networks.opened(asked, services())
