# SPDX-License-Identifier: Apache-2.0
"""Every command of ``openstack database``, and openstacksdk, on a real OpenStack.

The same that each ``.ci/run`` does on the one-machine cloud: configuration groups, logs
in the object store, root, a rebuilt server among them.
"""

import contextlib

import pytest

from tests.contract.cloud import real
from tests.openstack.conftest import containers
from tests.openstack.stand import LARGE, PATIENCE, SMALL, outside
from tests.system.clients import Openstack, Proxy
from tests.system.deployment import VERSIONS, User
from tests.system.subject import Subject, by_openstacksdk
from trove.cloud.openstack import OpenstackCloud

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(3600)]


class Outside(Subject):
    """On a network of the user's, and connected to by its public address."""

    small, large = SMALL, LARGE

    def __init__(self, stand, datastore):
        super().__init__(Openstack(stand), User(stand, "demo", PATIENCE), datastore)
        self.placed = ("--nic", f"net-id={stand.network}", "--is-public")

    def renamed(self):
        """What a change of access does not say is as it is by default: private."""
        super().renamed()
        update = ("database", "instance", "update", self.id)
        self.osc(*update, "--is-public", "--allowed-cidr", "10.0.0.0/8")
        self.settled()

    def cloud(self):
        return OpenstackCloud(self.demo.deployment.cloud)

    def enter(self, user, password, database="shop"):
        seen = outside(self.demo, self.id)
        return self.demo.connect(seen, user, password, database)


@pytest.fixture
def account(stand):
    """The user's container of logs is the user's to end, and was not there before."""
    with contextlib.closing(real.connection(real.USER)) as user:
        before = {each.id for each in containers(user)}
        yield
        for each in list(containers(user)):
            if each.id not in before:
                user.object_store.delete_container(each)


@pytest.mark.parametrize("datastore", VERSIONS)
def test_every_command_on_an_instance(stand, account, datastore, tmp_path):
    Outside(stand, datastore).live(tmp_path)


def test_every_method_of_openstacksdks_proxy(stand):
    nics = [{"net-id": stand.network}]
    by_openstacksdk(Proxy(stand), SMALL, wait=PATIENCE, nics=nics)
