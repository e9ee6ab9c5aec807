# SPDX-License-Identifier: Apache-2.0
"""The status a user sees, for every task, every report and every age."""

import itertools

import pytest

from trove.model import health, operations
from trove.model.states import LIVE, OperationState, Service, Task

FRESH, SILENT = 1.0, health.SILENT_AFTER + 0.1

# the words that clients know (contract section 7)
STATUSES = {
    *("BUILD", "ACTIVE", "REBOOT", "RESIZE", "UPGRADE", "RESTART_REQUIRED", "PROMOTE"),
    *("EJECT", "DETACH", "BACKUP", "SHUTDOWN", "ERROR"),
}
OPERATING = {
    *("", "ACTIVE", "BLOCKED", "SHUTDOWN", "FAILED", "ERROR", "NEW", "HEALTHY"),
    "RESTARTING",
}


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (Service.HEALTHY, ("ACTIVE", "HEALTHY")),
        (Service.RUNNING, ("ACTIVE", "ACTIVE")),
        (Service.STARTING, ("ACTIVE", "RESTARTING")),
        (Service.READ_ONLY, ("ACTIVE", "BLOCKED")),
        (Service.STOPPED, ("ACTIVE", "SHUTDOWN")),
        (Service.CRASHED, ("ACTIVE", "SHUTDOWN")),
        (Service.NEW, ("ACTIVE", "NEW")),
        (Service.FAILED, ("ERROR", "FAILED")),
        (None, ("ACTIVE", "ERROR")),
        ("invented by a later agent", ("ACTIVE", "ERROR")),
    ],
)
def test_an_idle_instance_is_as_its_guest_says(service, expected):
    age = None if service is None else FRESH
    assert health.status(Task.NONE, service, age) == expected


@pytest.mark.parametrize(
    ("task", "word"),
    [
        (Task.BUILDING, "BUILD"),
        (Task.REBOOTING, "REBOOT"),
        (Task.RESIZING, "RESIZE"),
        (Task.UPGRADING, "UPGRADE"),
        (Task.UPDATING, "ACTIVE"),
        (Task.BACKING_UP, "BACKUP"),
        (Task.PROMOTING, "PROMOTE"),
        (Task.EJECTING, "EJECT"),
        (Task.DETACHING, "DETACH"),
        (Task.LOGGING, "ACTIVE"),
        (Task.DELETING, "SHUTDOWN"),
        (Task.FAILED, "ERROR"),
    ],
)
@pytest.mark.parametrize("service", [None, *Service])
@pytest.mark.parametrize("age", [None, FRESH, SILENT])
def test_a_task_is_shown_whatever_the_guest_says(task, word, service, age):
    assert health.status(task, service, age) == (word, "")


def test_every_combination_has_words_that_clients_know():
    for task, service, age, fault, restart, live, state in itertools.product(
        Task,
        [None, *Service],
        [None, 0.0, FRESH, SILENT],
        [False, True],
        [False, True],
        [None, *operations.KINDS],
        [None, *OperationState],
    ):
        status, operating = health.status(
            task,
            service,
            age,
            fault,
            restart_required=restart,
            live=live,
            live_state=state,
        )
        assert status in STATUSES
        assert operating in OPERATING
        if (status, operating) == ("ACTIVE", "HEALTHY"):
            assert (task, service, restart) == (Task.NONE, Service.HEALTHY, False)
            assert age is not None and age <= health.SILENT_AFTER
            assert state is not OperationState.STUCK
        if operating:
            assert task is Task.NONE


def test_a_silent_guest_is_never_healthy_and_never_replaced():
    assert health.status(Task.NONE, Service.HEALTHY, 90.0)[1] == "HEALTHY"
    assert health.status(Task.NONE, Service.HEALTHY, 90.1) == ("ACTIVE", "ERROR")
    assert health.status(Task.NONE, Service.HEALTHY, 31, silent_after=30) == (
        "ACTIVE",
        "ERROR",
    )


def test_a_change_that_waits_for_a_restart_is_shown():
    status = health.status(Task.NONE, Service.HEALTHY, FRESH, restart_required=True)
    assert status == ("RESTART_REQUIRED", "HEALTHY")


def test_a_fault_is_an_error_while_building_and_history_afterwards():
    assert health.status(Task.BUILDING, None, None, True) == ("ERROR", "")
    assert health.status(Task.NONE, Service.HEALTHY, FRESH, True)[0] == "ACTIVE"


@pytest.mark.parametrize("task", list(Task))
def test_a_stuck_operation_is_a_visible_error(task):
    stuck = health.status(
        task,
        Service.HEALTHY,
        FRESH,
        live=operations.RESTART,
        live_state=OperationState.STUCK,
    )
    assert stuck == ("ERROR", "")


@pytest.mark.parametrize("state", LIVE)
def test_a_delete_under_way_is_a_shutdown(state):
    status = health.status(
        Task.NONE,
        Service.HEALTHY,
        FRESH,
        live=operations.DELETE,
        live_state=state,
    )
    assert status == ("SHUTDOWN", "")
