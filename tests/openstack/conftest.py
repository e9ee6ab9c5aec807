# SPDX-License-Identifier: Apache-2.0
"""A real OpenStack, and the control plane beside it."""

import collections
import contextlib

import pytest

from tests.contract.cloud import real
from tests.openstack.stand import ADMIN, Stand


@pytest.fixture(scope="session")
def stand():
    """The cloud is afterwards as it was before, whatever the tests did."""
    if not real.named():
        pytest.fail(f"{real.SERVICE} names no cloud: doc/developer/openstack.rst")
    before = listed()
    made = Stand()
    try:
        made.start()
        yield made
        assert made.violations() == []
    finally:
        made.stop()
    assert listed() == before


def listed():
    """What there is of everything that a database service makes, by kind."""
    with contextlib.closing(real.connection(ADMIN)) as admin:
        found = {
            "servers": admin.compute.servers(all_projects=True),
            "server groups": admin.compute.server_groups(all_projects=True),
            "volumes": admin.block_storage.volumes(all_projects=True),
            "snapshots": admin.block_storage.snapshots(all_projects=True),
            "ports": admin.network.ports(),
            "groups": admin.network.security_groups(),
            "floating addresses": admin.network.ips(),
        }
        # an agent of the network (DHCP) comes and goes by itself
        return {
            kind: collections.Counter(
                one.id
                for one in things
                if not (getattr(one, "device_owner", "") or "").startswith("network:")
            )
            for kind, things in found.items()
        }
