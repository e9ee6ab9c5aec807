# SPDX-License-Identifier: Apache-2.0
"""TaskManager: the wake-up, and the API's questions to a guest.

Of work the database is the truth: a lost ring costs one poll.
"""

import typing

from trove.rpc.interface import Interface, call, cast
from trove.rpc.messages import Question


class TaskManager(Interface):
    """Topic ``trove-taskmanager``, on the control vhost."""

    topic = "trove-taskmanager"
    version = "1.1"

    @cast(since="1.0")
    def run(self, operation: str) -> None:
        """An operation is due: claim it now rather than at the next poll."""

    @call(since="1.1", timeout=60)
    def ask_guest(self, instance: str, question: Question) -> typing.Any:
        """What the instance's guest answers (``rpc/relay.py``)."""
