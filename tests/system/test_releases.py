# SPDX-License-Identifier: Apache-2.0
"""A life of each engine that the first Debian has not, from an image of its own.

Of the datastores that a deployment begins with; ``--all-datastores``: of all that have
databases (``test_stores.py``: of the others).
"""

import typing

import pytest

from tests.system import builds
from tests.system.deployment import Deployment, User
from tests.system.shop import Shop
from tests.system.weight import is_small
from trove.datastores import registry, rules
from trove.localcloud import guestimage, programs, releases

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

FIRST = {datastore for _, (_, datastore, _) in releases.first_names()}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    every = metafunc.config.getoption("all_datastores")
    metafunc.parametrize(
        ("release", "datastore", "name"),
        [
            pytest.param(release, *tags[1:], id=f"{tags[1]}-{tags[2]}")
            for release in releases.releases()
            if release.name != releases.FIRST
            for _, tags in release.names
            if registry.get(tags[1]).can.databases
            if every or tags[1] in FIRST
        ],
    )


def test_a_life_on_it(
    deployment: Deployment,
    demo: User,
    release: releases.Release,
    datastore: str,
    name: str,
    record_property: typing.Callable[[str, object], None],
) -> None:
    builds.offer(deployment, datastore, name)
    built = guestimage.build(
        deployment.place.cache, programs.Host(), guestimage.printed, release=release
    )
    said = rules.read(built.rules(datastore).read_text(), "f")
    assert said.engine is not None and said.engine.startswith(f"{name}.")
    shop = Shop(deployment, demo, datastore, name)
    shop.holds()
    assert shop.engine().startswith(f"{name}.")
    _is_configured(demo, shop, name, said)
    assert (
        demo.ask(
            "POST", f"/instances/{shop.id}/action", {"resize": {"volume": {"size": 2}}}
        ).status_code
        == 202
    )
    assert shop.ended("instance.resize_volume")["state"] == "done"
    answer = demo.ask("POST", f"/instances/{shop.id}/action", {"restart": {}})
    assert answer.status_code == 202, answer.text
    shop.holds()
    shop.has_its_users()
    is_small(deployment, shop.id, f"{datastore} {name}", record_property)
    shop.end()


def _is_configured(demo: User, shop: Shop, name: str, said: rules.Document) -> None:
    """Every number at the least that the engine says of itself, and back again."""
    least = {key: rule["min"] for key, rule in said.rules.items() if "min" in rule}
    least.pop("innodb_buffer_pool_size", None)  # how small is the engine's own sum
    datastore = {"type": shop.datastore, "version": name}
    body = {"name": name, "values": least, "datastore": datastore}
    answer = demo.ask("POST", "/configurations", {"configuration": body})
    assert answer.status_code == 200, answer.text
    shop.takes_and_leaves(answer.json()["configuration"]["id"])
