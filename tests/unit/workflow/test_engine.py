# SPDX-License-Identifier: Apache-2.0
"""Forward, backward, parked, stuck: what the engine does with each kind of outcome."""

import pytest
import sqlalchemy as sa

from trove import errors
from trove.db.tables import Operation, OperationStep
from trove.workflow import journal
from trove.workflow.engine import Engine, Parked
from trove.workflow.flow import Flow, Settle, Step, Wait


class Busy(errors.Upstream):
    """A passing fault of these tests."""


def passing(fault):
    return 7.0 if isinstance(fault, Busy) else None


class Bench:
    """An engine, and a flow made of named deeds that note what they did."""

    def __init__(self, desk):
        self.desk, self.done = desk, []
        self.answers = {}

    def deed(self, name):
        def do(ctx):
            self.done.append(name)
            queue = self.answers.get(name, [])
            answer = queue.pop(0) if queue else None
            if isinstance(answer, Exception):
                raise answer
            return answer

        do.__name__ = name
        return do

    def step(self, name, **more):
        return Step(self.deed(name), undo=self.deed(f"undo_{name}"), **more)

    def run(self, *steps, operation=None, failed=None, deadline=600.0):
        flow = Flow("test", tuple(steps), deadline=deadline, failed=failed)
        self.operation = operation or self.desk.accept(deadline=deadline)
        engine = Engine(
            self.desk.claims(), {"test": flow}, lambda c: c, passing, lambda: 0.0
        )
        return engine.run(self.operation)

    @property
    def row(self):
        with self.desk.database.reading() as tx:
            return tx.get_one(Operation, self.operation)


@pytest.fixture
def bench(desk):
    return Bench(desk)


def test_steps_run_in_order_and_once(bench):
    bench.run(bench.step("one"), bench.step("two"))
    assert bench.done == ["one", "two"]
    assert bench.row.state == "done"


def test_a_step_that_waits_parks_and_goes_on_where_it_was(bench, desk):
    bench.answers["two"] = [Wait(5, "not yet")]
    steps = (bench.step("one"), bench.step("two"))
    assert bench.run(*steps) == Parked(5)
    assert bench.run(*steps, operation=bench.operation) is None  # not due yet
    desk.moment += 6
    bench.run(*steps, operation=bench.operation)
    assert bench.done == ["one", "two", "two"]
    assert bench.row.state == "done"


def test_a_final_fault_is_undone_in_reverse(bench):
    bench.answers["three"] = [errors.Invalid(why="no")]
    said = []
    bench.run(
        bench.step("one"),
        bench.step("two"),
        bench.step("three"),
        failed=lambda ctx, tx, fault: said.append(fault),
    )
    assert bench.done == ["one", "two", "three", "undo_three", "undo_two", "undo_one"]
    assert bench.row.state == "failed"
    assert said == ["three: The request is not valid: no"]


def test_a_passing_fault_is_tried_again_as_late_as_it_asked(bench, desk):
    bench.answers["one"] = [Busy(why="503")]
    assert bench.run(bench.step("one")) == Parked(7.0)
    desk.moment += 8
    bench.run(bench.step("one"), operation=bench.operation)
    assert bench.row.state == "done"


def test_what_waits_longer_than_it_may_is_undone(bench, desk):
    bench.answers["one"] = [Wait(5), Wait(5)]
    step = bench.step("one", within=8)
    bench.run(step)
    desk.moment += 9
    bench.run(step, operation=bench.operation)
    assert bench.done == ["one", "one", "undo_one"]
    assert "did not end in 8 s" in bench.row.fault


def test_past_its_deadline_an_operation_is_undone(bench, desk):
    bench.answers["one"] = [Wait(5)]
    bench.run(bench.step("one"), deadline=60.0)
    desk.moment += 61
    bench.run(bench.step("one"), operation=bench.operation, deadline=60.0)
    assert bench.row.state == "failed"
    assert "deadline" in bench.row.fault


def test_a_surprise_is_tried_three_times_then_undone(bench, desk):
    bench.answers["one"] = [ZeroDivisionError("x")] * 9
    bench.run(bench.step("one"))
    for _ in range(5):
        desk.moment += 100
        bench.run(bench.step("one"), operation=bench.operation)
    assert bench.done == ["one"] * 4 + ["undo_one"]
    assert bench.row.state == "failed"


def test_undo_is_tried_until_it_works(bench, desk):
    bench.answers["one"] = [errors.Invalid(why="no")]
    bench.answers["undo_one"] = [errors.Invalid(why="not now"), Wait(2), Busy(why="x")]
    bench.run(bench.step("one"))
    for _ in range(3):
        assert bench.row.state == "undoing"
        desk.moment += 100
        bench.run(bench.step("one"), operation=bench.operation)
    assert bench.done == ["one"] + ["undo_one"] * 4
    assert bench.row.state == "failed"


def test_after_the_pivot_there_is_no_way_back(bench, desk):
    bench.answers["two"] = [errors.Invalid(why="no"), errors.Invalid(why="no")]
    steps = (bench.step("one", pivot=True), bench.step("two"))
    bench.run(*steps)
    assert bench.row.state == "running"
    desk.moment += 700
    bench.run(*steps, operation=bench.operation)
    assert bench.row.state == "stuck"
    assert "undo_one" not in bench.done
    assert bench.row.lock_key is not None  # it still holds its object


def test_a_cancelled_operation_is_undone_and_says_so(bench, desk):
    bench.answers["one"] = [Wait(5)]
    bench.run(bench.step("one"))
    desk.moment += 1
    desk.database.run(lambda tx: journal.cancel(tx, bench.operation))
    bench.run(bench.step("one"), operation=bench.operation)
    assert bench.done == ["one", "undo_one"]
    assert "cancelled" in bench.row.fault


def test_cancelled_after_the_pivot_it_just_ends(bench, desk):
    bench.answers["two"] = [Wait(5)]
    steps = (bench.step("one", pivot=True), bench.step("two"))
    bench.run(*steps)
    desk.moment += 1
    desk.database.run(lambda tx: journal.cancel(tx, bench.operation))
    bench.run(*steps, operation=bench.operation)
    assert bench.row.state == "failed"
    assert not [d for d in bench.done if d.startswith("undo")]


def test_settled_rows_are_there_with_the_end_or_not_at_all(bench, desk):
    def work(tx):
        tx.execute(sa.update(Operation).values(project="settled"))

    bench.answers["one"] = [Settle(work, {"x": 1})]
    bench.run(bench.step("one"))
    assert (bench.row.state, bench.row.project) == ("done", "settled")


def test_a_kind_nobody_knows_is_stuck(bench, desk):
    bench.operation = desk.accept(kind="levitate")
    bench.run(bench.step("one"), operation=bench.operation)
    assert bench.row.state == "stuck"
    assert "levitate" in bench.row.fault


def test_what_is_not_wanted_is_passed_over_and_not_taken_back(bench, desk):
    asked = []

    def no(ctx):
        asked.append("no")
        return False

    bench.answers["three"] = [Wait(5), errors.Invalid(why="no")]
    steps = (
        bench.step("one"),
        bench.step("two", wanted=no),
        bench.step("three", wanted=lambda ctx: True),
        bench.step("four"),
    )
    bench.run(*steps)
    desk.moment += 10
    bench.run(*steps, operation=bench.operation)
    assert bench.done == ["one", "three", "three", "undo_three", "undo_one"]
    assert asked == ["no"], "it is decided once"
    with desk.database.reading() as tx:
        rows = sa.select(OperationStep.name, OperationStep.seq)
        assert tx.execute(rows.order_by(OperationStep.seq)).all() == [
            ("one", 0),
            ("three", 2),
        ]


def test_what_only_is_not_wanted_ends_as_ever(bench):
    steps = (
        bench.step("one"),
        bench.step("two", wanted=lambda ctx: False),
        bench.step("three"),
    )
    bench.run(*steps)
    assert bench.done == ["one", "three"] and bench.row.state == "done"


def test_who_cannot_say_whether_it_is_wanted_is_asked_again(bench, desk):
    answers = [Busy(why="x"), True]

    def wanted(ctx):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    steps = (bench.step("one"), bench.step("two", wanted=wanted), bench.step("three"))
    bench.run(*steps)
    desk.moment += 100
    bench.run(*steps, operation=bench.operation)
    assert bench.done == ["one", "one", "two", "three"]
    assert bench.row.state == "done"


@pytest.mark.parametrize("place", [0, 1])
def test_a_flows_ends_are_wanted_always(bench, place):
    more = [{}, {}]
    more[place] = {"wanted": lambda ctx: True}
    steps = (bench.step("one", **more[0]), bench.step("two", **more[1]))
    with pytest.raises(ValueError, match="first and its last"):
        Flow("test", steps, deadline=1)


def test_two_steps_of_one_name_are_refused(bench):
    with pytest.raises(ValueError, match="share a name"):
        Flow("test", (bench.step("one"), bench.step("one")), deadline=1)
