# SPDX-License-Identifier: Apache-2.0
"""A real OpenStack with the control plane beside it; and the image that guests have."""

import collections
import contextlib
import os
import pathlib
import shutil

import pytest

from tests.contract.cloud import real
from tests.openstack import machine
from tests.openstack.stand import ADMIN, Stand
from trove.cmd import guestimage
from trove.guestimage import builder, needs

CACHE = os.environ.get("TROVE_CACHE", "/var/lib/trove/cache")
VERSIONS = {"mariadb": "10.11", "postgresql": "15"}


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
    with (
        contextlib.closing(real.connection(ADMIN)) as admin,
        contextlib.closing(real.connection(real.USER)) as user,
    ):
        found = {
            "objects": objects(user),
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


def objects(user):
    """What is kept for a user in the object store, where there is one: logs."""
    if not user.has_service("object-store"):
        return
    for container in user.object_store.containers():
        yield from user.object_store.objects(container)


@pytest.fixture(scope="session")
def image(tmp_path_factory) -> pathlib.Path:
    """A guest image, built as an operator builds it."""
    if os.geteuid() != 0:
        pytest.skip("a guest image is built by root")
    if lacking := needs.lacking():
        pytest.skip(f"not installed: {' '.join(lacking)}")
    if lacking := [name for name in machine.PROGRAMS if not shutil.which(name)]:
        pytest.skip(f"not installed: {' '.join(lacking)}")
    datastore = os.environ.get("TROVE_TEST_DATASTORE", "mariadb")
    output = tmp_path_factory.mktemp("image") / "guest.qcow2"
    which = ["--datastore", datastore, "--version", VERSIONS[datastore]]
    argv = ["build", *which, "--output", str(output), "--cache-dir", CACHE]
    assert guestimage.main(argv) == 0
    assert builder.Label.read(output).format == "qcow2"
    return output
