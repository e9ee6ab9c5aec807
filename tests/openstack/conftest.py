# SPDX-License-Identifier: Apache-2.0
"""A real OpenStack with the control plane beside it; and the image that guests have."""

import collections
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from tests.contract.cloud import dummies, real
from tests.openstack import machine
from tests.openstack.stand import ADMIN, MORE, Stand
from trove.cmd import guestimage
from trove.guestimage import builder, needs

CACHE = os.environ.get("TROVE_CACHE", "/var/lib/trove/cache")
IMAGES = (("mariadb", "10.11"), ("mariadb", "11.8"), ("postgresql", "15"))
"""Of Debian 12, 13 and 12."""


@pytest.fixture(scope="session")
def uploaded(request, tmp_path_factory):
    """The cloud has guest images of this very code; and has them no more afterwards."""
    if not real.named():
        pytest.fail(f"{real.SERVICE} names no cloud: doc/developer/openstack.rst")
    at = tmp_path_factory.mktemp("images")
    with contextlib.closing(real.connection(real.SERVICE)) as service:
        before = {one.id for one in service.image.images()}
        try:
            for datastore, version in images(request.config):
                made = build(at / f"{datastore}.qcow2", datastore, version, *QUICK)
                upload(made)
            yield
        finally:
            for one in list(service.image.images()):
                if one.id not in before:
                    service.image.delete_image(one.id)


def images(config):
    """What guests are made of: ``--all-datastores`` has more."""
    every = config.getoption("all_datastores")
    return (*IMAGES, *MORE.items()) if every else IMAGES


QUICK = ("--no-cloud-init",)
"""A machine that is emulated is up fifteen seconds sooner; ``test_install`` has the
image as it is by default."""


def build(output, datastore, version, *more):
    """As an operator builds it."""
    if lacking := needs.lacking():
        pytest.fail(f"not installed: {' '.join(lacking)}")
    which = ["--datastore", datastore, "--version", version, *more]
    argv = ["build", *which, "--output", str(output), "--cache-dir", CACHE]
    assert guestimage.main(argv) == 0
    return output


def upload(image):
    """As the service's own user."""
    subprocess.run(
        [sys.executable, "-m", "trove.cmd.guestimage", "upload", str(image)],
        env={**os.environ, "OS_CLOUD": os.environ[real.SERVICE]},
        check=True,
        timeout=600,
    )


@pytest.fixture(scope="session")
def dummy():
    """The real cloud has the image of servers in which nothing runs."""
    with dummies.uploaded():
        yield


@pytest.fixture(scope="module")
def stand(request, uploaded, dummy):
    """The cloud is afterwards as it was before, whatever the tests of a file did."""
    before = listed()
    made = Stand(request.config.getoption("all_datastores"))
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
        contextlib.closing(real.connection(real.SERVICE)) as service,
    ):
        found = {
            "objects": objects(user),
            "backups": objects(service),
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
    """What an account has in the object store, where there is one."""
    for container in containers(user):
        yield container
        yield from user.object_store.objects(container)


def containers(user):
    """Those of an account, where there is an object store."""
    if user.has_service("object-store"):
        yield from user.object_store.containers()


@pytest.fixture(scope="module", params=IMAGES, ids="-".join)
def image(request, tmp_path_factory) -> pathlib.Path:
    """A guest image."""
    if lacking := [name for name in machine.PROGRAMS if not shutil.which(name)]:
        pytest.fail(f"not installed: {' '.join(lacking)}")
    output = build(tmp_path_factory.mktemp("image") / "guest.qcow2", *request.param)
    assert builder.Label.read(output).format == "qcow2"
    return output
