# SPDX-License-Identifier: Apache-2.0
"""The status that a user sees, computed from facts and stored nowhere.

Two words (contract section 7). ``status`` says what the control plane is doing, or
whether the instance is usable at all; ``operating_status`` says how the database in it
is, and is empty while the control plane is doing something. Clients take an instance
for ready when they are ACTIVE and HEALTHY, so HEALTHY is said only when the guest's
last report is fresh *and* its write probe passed:

========  ===============================  =========  ================
task      the guest's last report          status     operating_status
========  ===============================  =========  ================
NONE      healthy                          ACTIVE     HEALTHY
NONE      running: up, but no probe yet    ACTIVE     ACTIVE
NONE      starting                         ACTIVE     RESTARTING
NONE      read_only: full, or a sick disk  ACTIVE     BLOCKED
NONE      stopped, crashed                 ACTIVE     SHUTDOWN
NONE      new: never prepared              ACTIVE     NEW
NONE      failed                           ERROR      FAILED
NONE      none ever, or too old            ACTIVE     ERROR
BUILDING  any; a fault is recorded         ERROR
any       any; the operation is stuck      ERROR
others    any                              ``WORDS``
========  ===============================  =========  ================

ACTIVE is RESTART_REQUIRED while a changed parameter waits for a restart.

A silent guest does not make ``status`` ERROR: its database may well serve, and clients
(Terraform, Heat) would replace an instance in ERROR. A stopped database keeps
``status`` ACTIVE for the same reason: its server is up, and a restart must be offered.
"""

from trove.model import operations
from trove.model.states import OperationState, Service, Task

SILENT_AFTER = 90.0
"""Seconds without a report after which nothing is known of a guest."""

WORDS = {
    Task.BUILDING: "BUILD",
    Task.REBOOTING: "REBOOT",
    Task.RESIZING: "RESIZE",
    Task.UPGRADING: "UPGRADE",
    Task.REBUILDING: "BUILD",
    Task.MIGRATING: "RESIZE",
    Task.UPDATING: "ACTIVE",
    Task.BACKING_UP: "BACKUP",
    Task.PROMOTING: "PROMOTE",
    Task.EJECTING: "EJECT",
    Task.DETACHING: "DETACH",
    Task.LOGGING: "ACTIVE",
    Task.DELETING: "SHUTDOWN",
    Task.FAILED: "ERROR",
}
"""Of every task but NONE. Users see a change of access or of logs only in that
``operating_status`` is empty meanwhile."""

SERVICE = {
    Service.NEW: "NEW",
    Service.STARTING: "RESTARTING",
    Service.HEALTHY: "HEALTHY",
    Service.RUNNING: "ACTIVE",
    Service.READ_ONLY: "BLOCKED",
    Service.STOPPED: "SHUTDOWN",
    Service.CRASHED: "SHUTDOWN",
    Service.FAILED: "FAILED",
}


def status(
    task: Task | str,
    service: Service | str | None,
    age: float | None,
    fault: bool = False,
    *,
    restart_required: bool = False,
    silent_after: float = SILENT_AFTER,
    live: str | None = None,
    live_state: str | None = None,
) -> tuple[str, str]:
    """``(status, operating_status)``.

    ``service`` and ``age`` (seconds) are of the guest's last report, None when there
    was none. ``fault``: one is recorded; it stays so after the instance recovered,
    so it counts only while the instance is still being built. ``live`` is the kind of
    the operation that holds the instance, ``live_state`` its state.
    """
    doing = Task(task)
    if live == operations.DELETE:
        doing = Task.DELETING  # a delete that waited has begun; the row may lag behind
    if live_state == OperationState.STUCK:
        return "ERROR", ""
    if doing is Task.BUILDING and fault:
        return "ERROR", ""
    if doing is not Task.NONE:
        return WORDS[doing], ""
    if Service.FAILED == service:
        return "ERROR", SERVICE[Service.FAILED]
    usable = "RESTART_REQUIRED" if restart_required else "ACTIVE"
    return usable, health(service, age, silent_after)


def health(
    service: Service | str | None, age: float | None, silent_after: float = SILENT_AFTER
) -> str:
    """The word for the database alone: what an unknown state is never is HEALTHY."""
    if service is None or age is None or age > silent_after:
        return "ERROR"
    try:
        return SERVICE[Service(service)]
    except ValueError:
        return "ERROR"  # a word of a later agent
