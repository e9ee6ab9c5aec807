# SPDX-License-Identifier: Apache-2.0
"""Tasks, service states, operation states, and the one table of allowed moves.

*Task* is what the control plane is doing to an instance; *service state* is what its
guest last said about the database. What a user sees is computed from both
(``model/health.py``), never stored. Words of the wire: contract section 7.
"""

import enum


class Task(enum.StrEnum):
    """What the control plane is doing to an instance."""

    NONE = "NONE"
    BUILDING = "BUILDING"
    REBOOTING = "REBOOTING"
    RESIZING = "RESIZING"
    UPGRADING = "UPGRADING"
    REBUILDING = "REBUILDING"
    MIGRATING = "MIGRATING"
    UPDATING = "UPDATING"
    BACKING_UP = "BACKING_UP"
    PROMOTING = "PROMOTING"
    EJECTING = "EJECTING"
    DETACHING = "DETACHING"
    LOGGING = "LOGGING"
    DELETING = "DELETING"
    FAILED = "FAILED"


BUSY = frozenset(
    {
        Task.REBOOTING,
        Task.RESIZING,
        Task.UPGRADING,
        Task.REBUILDING,
        Task.MIGRATING,
        Task.UPDATING,
        Task.BACKING_UP,
        Task.PROMOTING,
        Task.EJECTING,
        Task.DETACHING,
        Task.LOGGING,
    }
)

MOVES: dict[Task, frozenset[Task]] = {
    Task.BUILDING: frozenset({Task.NONE, Task.FAILED, Task.DELETING}),
    Task.NONE: BUSY | {Task.DELETING, Task.FAILED},
    Task.FAILED: frozenset({Task.DELETING, Task.NONE}),
    Task.DELETING: frozenset({Task.DELETING}),
    **{task: frozenset({Task.NONE, Task.FAILED, Task.DELETING}) for task in BUSY},
}
"""From a task to the tasks that may follow. Deletion is allowed from every state."""


def origins(to: Task) -> list[Task]:
    """The tasks from which ``to`` may be entered."""
    return sorted(task for task, ways in MOVES.items() if to in ways)


class Service(enum.StrEnum):
    """What a guest says of its database."""

    NEW = "new"  # the agent runs, nothing is prepared yet
    STARTING = "starting"
    HEALTHY = "healthy"  # the write probe passed
    RUNNING = "running"  # the process is up, the probe did not pass yet
    READ_ONLY = "read_only"  # the full-disk guard, or a read-only file system
    STOPPED = "stopped"
    CRASHED = "crashed"
    FAILED = "failed"  # preparing it did not work


class OperationState(enum.StrEnum):
    """Where an operation is in its life."""

    PENDING = "pending"
    RUNNING = "running"
    UNDOING = "undoing"
    DONE = "done"
    FAILED = "failed"
    STUCK = "stuck"


LIVE = (OperationState.PENDING, OperationState.RUNNING, OperationState.UNDOING)
"""States in which a worker may claim an operation."""


class StepState(enum.StrEnum):
    """Where one step of an operation is."""

    INTENT = "intent"
    DONE = "done"
    UNDONE = "undone"


class ThingState(enum.StrEnum):
    """Where a thing outside is, by our ledger."""

    INTENT = "intent"
    CREATED = "created"
    RETAINED = "retained"
    GONE = "gone"


class Modular(enum.StrEnum):
    """How a module stands on an instance."""

    WAITING = "WAITING"  # it was asked for, and its guest has not answered
    OK = "OK"
    ERROR = "ERROR"  # its driver refused it, or could not be asked


class JobState(enum.StrEnum):
    """Where a guest's job is."""

    SENT = "sent"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"
