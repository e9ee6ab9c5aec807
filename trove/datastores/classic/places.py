# SPDX-License-Identifier: Apache-2.0
"""Where everything of such a server is in its guest."""

from trove.datastores import places as shared

ALONE = "trove-{user}-alone"
"""The unit of a server for the agent alone, by the user that it runs as."""


class Places(shared.Places):
    """What every engine has, and what these have."""

    __slots__ = ()

    @property
    def temporary(self) -> str:
        """What a sort needs; on the volume, for the root disk is small."""
        return f"{self.volume}/temporary"

    @property
    def binlogs(self) -> str:
        """The binary log and the relay log."""
        return f"{self.volume}/binlog"

    @property
    def files(self) -> str:
        """The only directory that SQL may read and write files in."""
        return f"{self.volume}/files"

    @property
    def logs(self) -> str:
        """What users have written down: on the volume, for the root disk is small."""
        return f"{self.volume}/log"

    @property
    def wanted(self) -> str:
        """From which file of the binary log on an increment will want it."""
        return f"{self.volume}/wanted.json"

    @property
    def socket(self) -> str:
        """Where it answers on this machine."""
        return f"{self.runtime}/mysqld.sock"
