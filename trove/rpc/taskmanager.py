# SPDX-License-Identifier: Apache-2.0
"""TaskManager: the wake-up. The database is the truth; a lost ring costs one poll."""

from trove.rpc.interface import Interface, cast


class TaskManager(Interface):
    """Topic ``trove-taskmanager``, on the control vhost."""

    topic = "trove-taskmanager"
    version = "1.0"

    @cast(since="1.0")
    def run(self, operation: str) -> None:
        """An operation is due: claim it now rather than at the next poll."""
