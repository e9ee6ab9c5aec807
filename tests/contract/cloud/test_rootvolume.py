# SPDX-License-Identifier: Apache-2.0
"""A server whose root is a volume: made of an image, built anew, gone with it."""

import dataclasses
import uuid

import pytest

from tests.contract.cloud.conftest import OURS, REAL, clear, real
from trove.cloud import protocol
from trove.cloud.openstack import OpenstackCloud

KINDS = REAL if real.named() else OURS[1:]
"""The memory cloud has no mapping of devices: how a root is had is Nova's wire."""


@pytest.fixture(params=KINDS, ids=lambda maker: maker.__name__)
def bench(request):
    made = request.param(request)
    yield made
    made.close()


@pytest.fixture
def rooted(bench):
    """The cloud, with roots on volumes; nothing of it is left."""
    settings = bench.cloud.access.settings
    made = OpenstackCloud(dataclasses.replace(settings, root_volume=1))
    try:
        yield made
        clear(bench, (made,))
    finally:
        made.close()


def volumes(cloud):
    with cloud.access.using("volumes") as clients:
        return {each.id for each in clients.cinder.volumes.list()}


def test_a_root_on_a_volume(bench, rooted):
    before = volumes(rooted)
    port = rooted.network.create_port(f"{uuid.uuid4()}.port", bench.network, ())
    order = protocol.Boot("rooted", bench.image, bench.flavor, (port.id,), None, "")
    made = rooted.compute.boot(f"{uuid.uuid4()}.server", order)

    def shown(mark=None):
        seen = rooted.compute.show(made.id)
        assert seen is not None and seen.status != "ERROR", seen
        return seen if (seen.status, seen.mark) == ("ACTIVE", mark) else None

    seen = bench.until(shown)
    assert seen.image == bench.image and len(seen.volumes) == 1
    assert volumes(rooted) - before == set(seen.volumes)
    rooted.compute.rebuild(made.id, bench.image, "#cloud-config\n{}", "again")
    again = bench.until(lambda: shown("again"))
    assert (again.image, again.volumes) == (seen.image, seen.volumes)
    rooted.compute.delete(made.id)
    bench.until(lambda: rooted.compute.show(made.id) is None)
    bench.until(lambda: volumes(rooted) == before)
