# SPDX-License-Identifier: Apache-2.0
"""An OpenStack cloud: Nova, Cinder, Neutron and Glance behind a Keystone."""

import typing

from trove.cloud import protocol
from trove.cloud.openstack.caller import Caller
from trove.cloud.openstack.compute import Compute
from trove.cloud.openstack.images import Images
from trove.cloud.openstack.network import Network
from trove.cloud.openstack.servergroups import ServerGroups
from trove.cloud.openstack.session import Access, Settings
from trove.cloud.openstack.snapshots import Snapshots
from trove.cloud.openstack.volumes import Volumes


class OpenstackCloud:
    """One region, with the service's own credentials."""

    def __init__(self, settings: Settings) -> None:
        self.access = access = Access(settings)
        self.close = access.close
        self.compute: protocol.Compute = Compute(access)
        self.server_groups: protocol.ServerGroups = ServerGroups(access)
        self.volumes: protocol.Volumes = Volumes(access)
        self.snapshots: protocol.Snapshots = Snapshots(access)
        self.network: protocol.Networking = Network(access)
        self.images: protocol.Images = Images(access)

    def seen_by(self, address: str, token: str) -> protocol.Caller:
        """Nothing is asked before the first look."""
        access = self.access
        return Caller(address, token, access.settings.verify, access.service_token)


def connect(**settings: typing.Any) -> protocol.Cloud:
    """What the registry calls. Nothing is asked of the cloud before the first call."""
    return OpenstackCloud(Settings(**settings))
