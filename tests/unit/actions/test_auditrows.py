# SPDX-License-Identifier: Apache-2.0
"""Violations in the rows alone: each, planted, is one line; what is usual is none."""

import pytest
import sqlalchemy as sa

from trove.actions import audit, auditrows
from trove.db.queries import deeds
from trove.db.tables import (
    Deed,
    Event,
    Guest,
    GuestJob,
    GuestReport,
    Instance,
    OperationStep,
)
from trove.model.states import OperationState, StepState
from trove.rpc import passwords


@pytest.fixture
def look(database):
    """The lines of the invariants of this module."""

    def lines() -> list[str]:
        found = audit.look(database, None, None)
        return [str(v) for v in found if v.invariant in auditrows.CHECKS]

    return lines


@pytest.fixture
def add(database):
    def write(*rows) -> None:
        with database.transaction() as tx:
            for row in rows:
                tx.add(row)

    return write


def report(id: str, clock, ago: float = 0.0, service: str = "healthy") -> GuestReport:
    moment = clock() - ago
    return GuestReport(
        instance_id=id,
        boot=1,
        seq=1,
        service=service,
        received_at=moment,
        changed_at=moment,
    )


def job(id: str, instance: str, method: str = "prepare", state: str = "done"):
    return GuestJob(id=id, instance_id=instance, method=method, state=state, updated=1)


def event(id: str, seq: int, kind: str = "x", at: float = 1.0) -> Event:
    return Event(object_id=id, seq=seq, kind=kind, at=at)


def test_what_is_usual_is_no_violation(look, add, instance, operation, clock):
    id = instance()
    op = operation(id, owner="w", fence=2, client_token="k", body_hash="h")
    other = operation(instance(), state=OperationState.DONE)
    add(
        report(id, clock, ago=10),
        job(f"{op}/prepare", id, state="running"),
        event(id, 1),
        event(id, 2),
        Guest(instance_id=id, password_hash=passwords.hash_password("p")),
        OperationStep(
            operation_id=other, name="a", seq=1, state=StepState.DONE, begun_at=1.0
        ),
    )
    assert look() == []


def test_a_key_without_what_was_said(look, instance, operation):
    """INV-8."""
    id = operation(instance(), client_token="k")
    assert look() == [
        f"INV-8: operation {id} (instance.restart) has an Idempotency-Key and no hash "
        "of its body"
    ]


def test_an_ended_operation_that_is_held(look, instance, operation):
    """INV-9."""
    id = operation(instance(), state=OperationState.DONE, owner="w", fence=1)
    assert look() == [
        f"INV-9: operation {id} (instance.restart) is done, and a worker still holds it"
    ]


def test_a_step_after_the_end(look, add, instance, operation, clock):
    """INV-9: in the minute after it, a clock's difference is no violation."""
    id = operation(instance(), state=OperationState.FAILED)
    step = OperationStep(
        operation_id=id, name="a", seq=1, state="intent", begun_at=clock() + 59
    )
    add(step)
    assert look() == []
    with_later = OperationStep(
        operation_id=id, name="b", seq=2, state="intent", begun_at=clock() + 61
    )
    add(with_later)
    assert look() == [
        f"INV-9: step b of operation {id} began after the operation had ended"
    ]


def test_a_step_that_was_left_behind(look, add, instance, operation):
    """INV-9."""
    id = operation(instance(), state=OperationState.DONE)
    add(
        OperationStep(operation_id=id, name="a", seq=1, state="intent", begun_at=1.0),
    )
    assert look() == [f"INV-9: operation {id} is done, and its step a is not"]


def test_a_job_of_another_instance_or_name_or_state(look, add, instance, operation):
    """INV-11."""
    id, other = instance(), instance()
    op = operation(id)
    add(job(f"{op}/prepare", other), job("gone/x", id, "prepare"))
    add(job("gone/prepare", id, state="odd"))
    assert look() == [
        "INV-11: job gone/prepare is 'odd', which is no state of a job",
        "INV-11: job gone/x does prepare, which is not its name",
        f"INV-11: job {op}/prepare is at instance {other}, its operation at {id}",
    ]


def test_a_port_that_a_deleted_instance_has(look, database, instance):
    """INV-16: nobody else could have it."""
    living, buried = instance(), instance()
    with database.transaction() as tx:
        tx.get_one(Instance, living).port_id = "p"
        tx.get_one(Instance, buried).port_id = "q"
        tx.get_one(Instance, buried).deleted_at = 1.0
    assert look() == [f"INV-16: deleted instance {buried} still has port q"]


def test_a_secret_that_lies_open(look, add, database, instance, operation):
    """INV-17: and no line holds a word of it."""
    open_ = operation(instance())
    over = operation(instance(), state=OperationState.DONE, input={"p": "canary"})
    with database.transaction() as tx:
        tx.execute(
            sa.text("UPDATE operations SET input = :text WHERE id = :id"),
            {"text": '{"password": "canary"}', "id": open_},
        )
    add(Guest(instance_id="i-1", password_hash="canary"))
    assert look() == [
        f"INV-17: operation {over} (instance.restart) is done, and its input is not "
        "wiped",
        f"INV-17: the input of operation {open_} (instance.restart) is not sealed",
        "INV-17: what is kept of the password of guest i-1 is not a hash",
    ]


def test_rows_of_two_projects(look, instance, operation):
    """INV-18."""
    id = instance()
    replica = instance(project="other", source_id=id)
    op = operation(id, project="other")
    assert look() == [
        f"INV-18: instance {replica} is a replica of {id}, which is another project's",
        f"INV-18: operation {op} is of project other, its instance {id} of demo",
    ]


@pytest.mark.parametrize("numbers", [(1, 3), (2, 3), (0, 1)])
def test_events_with_a_gap(look, add, numbers):
    """INV-19."""
    add(*(event("i", number) for number in numbers))
    assert look() == [
        f"INV-19: object i has 2 events, and the last is number {max(numbers)}"
    ]


def test_a_word_and_a_moment_that_cannot_be(look, add, instance, clock):
    """INV-20."""
    first, second = instance(), instance()
    add(report(first, clock, service="splendid"), report(second, clock, ago=-61))
    assert look() == [
        f"INV-20: the guest of instance {first} says 'splendid', which is no word for "
        "health",
        f"INV-20: the last report of instance {second} is of a moment that has not "
        "been",
    ]


def test_a_silence_that_nobody_noticed(look, add, instance, operation, clock):
    """INV-20: not while it is young, under way, or told."""
    id = instance(updated=clock() - 999)
    add(report(id, clock, ago=299))
    assert look() == []
    clock.now += 2
    assert look() == [
        f"INV-20: the guest of instance {id} is silent, and no event says so"
    ]
    add(event(id, 1, "guest.silent", clock()))
    assert look() == []


def test_a_silence_of_an_instance_that_something_is_done_to(
    look, add, instance, operation, clock
):
    """INV-20: a restart takes its time."""
    id = instance(updated=clock() - 999)
    add(report(id, clock, ago=999))
    operation(id)
    assert look() == []


def test_a_change_whose_end_nobody_told(look, add, instance, clock):
    """INV-19: what is young may still be under way, what is over is over."""
    id = instance()
    for state, ago in (("asked", 10.0), ("done", 1e6), ("asked", deeds.LATE + 1e3)):
        about = {"instance_id": id, "kind": "instance.x", "payload": {}}
        add(Deed(id=f"{state}{ago}", state=state, at=clock() - ago, **about))
    assert look() == [f"INV-19: nobody told what became of instance.x of instance {id}"]
