# SPDX-License-Identifier: Apache-2.0
"""The RPC end of TaskManager: a bell (the database is the truth), and a relay."""

import typing

from trove.context import Context
from trove.rpc.messages import Question
from trove.rpc.relay import Guests, Relay
from trove.taskmanager.worker import Worker


class Manager:
    """Loaded by the option ``taskmanager_manager``; rings its worker."""

    def __init__(self, worker: Worker, guests: Guests) -> None:
        self._worker, self._relay = worker, Relay(guests)

    def run(self, context: Context, operation: str) -> None:
        """An operation is due."""
        self._worker.ring(operation)

    def ask_guest(
        self, context: Context, instance: str, question: Question
    ) -> typing.Any:
        """Signed, asked, and answered within a bound."""
        return self._relay.ask(context, instance, question)
