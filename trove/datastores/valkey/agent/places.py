# SPDX-License-Identifier: Apache-2.0
"""Where everything of a Valkey server is in its guest."""

from trove.datastores import places as shared
from trove.datastores.protocol import Host
from trove.datastores.valkey.spec import DATASTORE

USERS = "users.acl"
"""The name of the access list, beside the data."""


class Places(shared.Places):
    """What every engine has, and Valkey's own."""

    __slots__ = ()

    @property
    def users(self) -> str:
        """The access list: names, what they may do, and hashes of passwords."""
        return f"{self.data}/{USERS}"

    @property
    def secret(self) -> str:
        """What the agent comes in with; on the root disk, and root's alone."""
        return f"{self.settings}/agent.secret"

    @property
    def socket(self) -> str:
        """Where it answers on this machine."""
        return f"{self.runtime}/valkey.sock"


def places(host: Host) -> Places:
    """The places on this machine."""
    return Places(
        volume=host.path(DATASTORE.data),
        settings=host.path("/etc/trove-valkey"),
        runtime=host.path("/run/trove-valkey"),
        unit=host.path("/etc/systemd/system/trove-valkey.service"),
    )
