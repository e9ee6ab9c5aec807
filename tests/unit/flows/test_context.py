# SPDX-License-Identifier: Apache-2.0
"""Each kind has one flow, and each fault of the outside has its class."""

import types

import pytest

from trove import errors
from trove.cloud import protocol
from trove.flows import FLOWS
from trove.flows.context import HEARD, LATEST, StepContext, passing
from trove.model import operations
from trove.workflow.claims import StepRow


def test_each_kind_has_one_flow():
    assert sorted(FLOWS) == sorted(operations.KINDS)


def test_a_flow_has_its_kinds_deadline_and_its_steps_fit_into_it():
    deadlines = {kind: flow.deadline for kind, flow in FLOWS.items()}
    assert deadlines == operations.DEADLINES
    for flow in FLOWS.values():
        longest = max(step.within or 0 for step in flow.steps)
        longer = operations.RESTORES if flow.kind == operations.CREATE else 0
        assert longest < flow.deadline + longer, flow.kind


@pytest.mark.parametrize("kind", operations.KINDS)
def test_what_is_made_can_be_taken_back_before_the_pivot(kind):
    """Every step before the pivot that makes a thing has its undo."""
    for step in FLOWS[kind].steps:
        if step.pivot:
            break
        if step.name.startswith(("make_", "boot_")):
            assert step.undo is not None, step.name


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (protocol.Passing("503"), 0.0),
        (protocol.Passing("429", retry_after=9.0), 9.0),
        (protocol.Unknown("lost"), 0.0),
        (protocol.CloudConflict("409"), 0.0),
        (errors.GuestSilent(instance="i"), 0.0),
        (protocol.Refused("400", status=400), None),
        (errors.Invalid(why="no"), None),
        (ZeroDivisionError(), None),
    ],
)
def test_what_is_tried_again_and_when(fault, seconds):
    assert passing(fault) == seconds


@pytest.mark.parametrize(
    ("waited", "most", "seconds"),
    [
        (0.0, LATEST, 0.2),
        (0.3, LATEST, 0.2),
        (1.0, LATEST, 0.5),
        (60.0, LATEST, 2.0),
        (8.0, HEARD, 4.0),
        (60.0, HEARD, 10.0),
    ],
)
def test_what_a_cloud_makes_is_looked_at_often_at_first(waited, most, seconds):
    """Neither a second for what takes none, nor five calls a second for minutes; and
    less where the cloud tells by itself."""
    begun = {"make_ports": 10.0, "make_volume": 50.0}
    rows = {name: StepRow(name, "intent", at, None) for name, at in begun.items()}
    claim = types.SimpleNamespace(steps=rows, now=lambda: 50.0 + waited)
    settings = types.SimpleNamespace(grace=20.0, call_timeout=20.0, look=most)
    around = types.SimpleNamespace(
        cloud=None, users=None, settings=settings, storage=None
    )
    wait = StepContext(claim, around).soon("the volume is creating")
    assert (wait.seconds, wait.why) == (seconds, "the volume is creating")
    assert StepContext(claim, around).again("it moves").seconds == most
