# SPDX-License-Identifier: Apache-2.0
"""A server whose root is a volume: made of an image, built anew, gone with it."""

import contextlib
import dataclasses
import uuid

import pytest

from tests.contract.cloud import real
from tests.system.faults.servers import until
from trove.cloud import protocol
from trove.cloud.openstack import OpenstackCloud

pytestmark = pytest.mark.openstack

PATIENCE = 600.0


@pytest.fixture
def bench():
    made = real.RealBench(None, None)
    yield made
    made.close()


@pytest.fixture
def rooted(bench):
    """The cloud, with roots on volumes; no server of it is left."""
    settings = real.settings(real.SERVICE, "one")
    made = OpenstackCloud(dataclasses.replace(settings, root_volume=1))
    yield made
    for server in made.compute.owned():
        made.compute.delete(server.id)
    until("no server is left", lambda: not made.compute.owned(), PATIENCE)
    for port in made.network.owned_ports():
        made.network.delete_port(port.id)
    made.close()


def volumes():
    with contextlib.closing(real.connection(real.SERVICE)) as cloud:
        return {each.id for each in cloud.block_storage.volumes()}


def test_a_root_on_a_volume(bench, rooted):
    before = volumes()
    port = rooted.network.create_port(f"{uuid.uuid4()}.port", bench.network, ())
    order = protocol.Boot("rooted", bench.image, bench.flavor, (port.id,), None, "")
    made = rooted.compute.boot(f"{uuid.uuid4()}.server", order)

    def shown(mark=None):
        seen = rooted.compute.show(made.id)
        assert seen is not None and seen.status != "ERROR", seen
        return seen if (seen.status, seen.mark) == ("ACTIVE", mark) else None

    seen = until("it is active", shown, PATIENCE)
    assert seen.image == bench.image and len(seen.volumes) == 1
    assert volumes() - before == set(seen.volumes)
    rooted.compute.rebuild(made.id, bench.image, "#cloud-config\n{}", "again")
    again = until("it is built anew", lambda: shown("again"), PATIENCE)
    assert (again.image, again.volumes) == (seen.image, seen.volumes)
    rooted.compute.delete(made.id)
    until("it is gone", lambda: rooted.compute.show(made.id) is None, PATIENCE)
    until("its root is gone", lambda: volumes() == before, PATIENCE)
