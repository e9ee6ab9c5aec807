# SPDX-License-Identifier: Apache-2.0
"""Server groups, through python-novaclient.

Nova keeps neither a tag nor a description of one: its name says the deployment and the
key.
"""

import typing

from novaclient.api_versions import APIVersion

from trove.cloud import protocol
from trove.cloud.openstack import faults
from trove.cloud.openstack.session import Access, Clients
from trove.model import naming

POLICY_ALONE = APIVersion("2.64")
"""From here on a group has one policy; before, a list of one."""
_PAGE = 1000


class ServerGroups:
    """Nova's groups of servers, as the protocol wants them."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._mark = f"{naming.DEPLOYMENT_TAG}{access.settings.deployment} "

    def find(self, key: str) -> list[protocol.ServerGroup]:
        """Those of this deployment with this key."""
        return [group for group in self.owned() if group.key == key]

    def owned(self) -> list[protocol.ServerGroup]:
        """Every group of this deployment."""
        return self._access.listed("server_groups.list", self._listing)

    def create(self, key: str, policy: str) -> protocol.ServerGroup:
        """A group without servers: those join that are booted into it."""
        with self._access.using("server_groups.create", making=True) as clients:
            alone = clients.nova.api_version >= POLICY_ALONE
            how = {"policy": policy} if alone else {"policies": [policy]}
            made = clients.nova.server_groups.create(name=self._mark + key, **how)
            return self._seen(made.to_dict())

    def show(self, id: str) -> protocol.ServerGroup | None:
        """A group, or None."""
        with faults.UnlessAbsent(), self._access.using("server_groups.show") as clients:
            found = clients.nova.server_groups.get(faults.plain(id))
            return self._seen(found.to_dict())
        return None

    def delete(self, id: str) -> None:
        """Ends a group; its servers stay."""
        with (
            faults.UnlessAbsent(),
            self._access.using("server_groups.delete") as clients,
        ):
            clients.nova.server_groups.delete(faults.plain(id))

    def _listing(self, clients: Clients) -> list[protocol.ServerGroup]:
        found: list[dict[str, typing.Any]] = []
        while True:
            page = clients.nova.server_groups.list(limit=_PAGE, offset=len(found))
            found += [group.to_dict() for group in page]
            if len(page) < _PAGE:
                break
        mine = [each for each in found if each["name"].startswith(self._mark)]
        return [self._seen(each) for each in mine]

    def _seen(self, found: dict[str, typing.Any]) -> protocol.ServerGroup:
        name, policies = str(found["name"]), found.get("policies")
        key = name.removeprefix(self._mark) if name.startswith(self._mark) else None
        policy = found.get("policy") or (policies[0] if policies else "")
        return protocol.ServerGroup(str(found["id"]), key, str(policy))
