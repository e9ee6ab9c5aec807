# SPDX-License-Identifier: Apache-2.0
"""The RPC end of TaskManager: a bell, nothing more (the database is the truth)."""

from trove.context import Context
from trove.taskmanager.worker import Worker


class Manager:
    """Loaded by the option ``taskmanager_manager``; rings its worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def run(self, context: Context, operation: str) -> None:
        """An operation is due."""
        self._worker.ring(operation)
