# SPDX-License-Identifier: Apache-2.0
"""A real OpenStack, named by the environment, with a test's hands on it.

``TROVE_TEST_CLOUD`` names an entry of clouds.yaml: the service's own user, in its own
project. ``TROVE_TEST_CLOUD_USER`` names an ordinary user's, in another project. What a
cloud cannot be asked is told by ``TROVE_TEST_NETWORK`` (the name of a network that both
may use) and ``TROVE_TEST_FLAVORS`` (the names of two, the smaller one first).
"""

import ipaddress
import os
import time
import typing
import warnings

import requests
from openstack import config
from openstack import connection as sdk

from trove.cloud.openstack import OpenstackCloud
from trove.cloud.openstack.session import Settings

TAG = "trove-tests-dummy"
"""Of the image that servers boot from (``dummies.py``)."""
SERVICE, USER = "TROVE_TEST_CLOUD", "TROVE_TEST_CLOUD_USER"
PATIENCE = 600.0
"""Seconds: an emulated server takes minutes where another takes seconds."""


def named() -> bool:
    """Whether the environment names a cloud."""
    return bool(os.environ.get(SERVICE))


def cloud(variable: str, deployment: str) -> OpenstackCloud:
    """The cloud as the user of that entry, for a deployment's things."""
    return OpenstackCloud(settings(variable, deployment))


def entry(variable: str) -> typing.Any:
    """What clouds.yaml says of the entry that this variable names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what openstacksdk means to drop
        return config.OpenStackConfig().get_one(os.environ[variable])


def connection(variable: str) -> sdk.Connection:
    """openstacksdk's own, as that user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sdk.Connection(config=entry(variable))


def settings(variable: str, deployment: str) -> Settings:
    """Where the cloud is, for us, as that user."""
    said = entry(variable)
    auth = said.config["auth"]
    names = ("auth_url", "username", "password", "project_name")
    return Settings(
        deployment=deployment,
        region_name=said.region_name,
        interface=said.config.get("interface", "public"),
        cafile=said.config.get("cacert"),
        **{name: auth[name] for name in names},
    )


def reserve(cloud: OpenstackCloud, volume: str, server: str) -> None:
    """Has Cinder reserve a volume, as Nova does."""
    with cloud.access.using("a reservation") as clients:
        clients.cinder.attachments.create(volume, None, server)


class RealBench:
    """Two deployments' clouds and a user's, over one OpenStack."""

    hosts = ()

    def __init__(self, lost, listed):
        self.cloud, self.other = (cloud(SERVICE, which) for which in ("one", "two"))
        self.user = cloud(USER, "one")
        self._lost, self._listed, self.lent = lost, listed, []
        self.tags = (TAG,)
        self.image = self.cloud.images.newest(self.tags).id
        wanted = os.environ["TROVE_TEST_FLAVORS"].split(",")
        flavors = {each.name: each.id for each in self.cloud.compute.flavors()}
        self.flavor, self.larger = (flavors[name] for name in wanted)
        name = os.environ["TROVE_TEST_NETWORK"]
        networks = self.cloud.network.networks()
        network = next(each for each in networks if each.name == name)
        self.network = network.id
        self.public = next(each.id for each in networks if each.public)
        self.chosen = str(ipaddress.ip_network(network.cidrs[0])[177])

    def lend(self, **words):
        """The id of a port that a user's project made, with these words on it."""
        with self.user.access.using("a user's port") as clients:
            order = {"network_id": self.network, **words}
            self.lent.append(clients.sdk.network.create_port(**order).id)
        return self.lent[-1]

    def reserve(self, volume, server):
        """As Nova leaves it when a server ends while it is built."""
        reserve(self.cloud, volume, server)

    def until(self, check):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if seen := check():
                return seen
            time.sleep(0.5)
        raise AssertionError("it did not come about")

    def lose_the_next_reply(self):
        self._mount(self._lost())

    def once_listed(self, hook):
        self._mount(self._listed(hook))

    def _mount(self, adapter: requests.adapters.BaseAdapter):
        with self.cloud.access.using("the next call") as clients:
            for scheme in ("http://", "https://"):
                clients.session.session.mount(scheme, adapter)

    def close(self):
        for id in self.lent:
            self.user.network.delete_port(id)
        for each in (self.cloud, self.other, self.user):
            each.close()
