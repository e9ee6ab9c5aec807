# SPDX-License-Identifier: Apache-2.0
"""What a step costs in statements, and that two never take one operation."""

import sqlalchemy as sa

from trove.workflow import statements
from trove.workflow.engine import Engine
from trove.workflow.flow import Flow, Step


def counted(desk):
    """First words of what runs from now on."""
    seen: list[str] = []

    def note(connection, cursor, sql, *rest):
        seen.append(sql.split()[0])

    sa.event.listen(desk.database.engine, "before_cursor_execute", note)
    return seen


def one(ctx):
    """A step without rows of its own."""


def two(ctx):
    """The last one."""


def test_a_step_costs_three_statements_and_no_look_at_the_clock(desk):
    operation = desk.accept()
    flow = Flow("test", (Step(one), Step(two)), 600)
    engine = Engine(desk.claims(), {"test": flow}, lambda claim: claim, lambda f: None)
    seen = counted(desk)
    engine.run(operation)
    assert seen == [
        # taken, and read with its steps
        *("BEGIN", "UPDATE", "SELECT", "SELECT"),
        # the first step's intent
        *("BEGIN", "UPDATE", "INSERT"),
        # its end, and the next one's intent
        *("BEGIN", "UPDATE", "UPDATE", "INSERT"),
        # the end: the operation's too, who waits for it, and the event
        *("BEGIN", "UPDATE", "UPDATE", "SELECT", "SELECT", "SELECT", "INSERT"),
    ]


def test_to_let_go_costs_one(desk):
    claim = desk.take(desk.accept())
    seen = counted(desk)
    assert claim.park(5, failed=False) is False
    assert seen == ["BEGIN", "UPDATE"]


def test_who_matches_the_row_raises_the_fence(desk):
    operation = desk.accept()
    given = {"of": operation, "by": "a", "lease": 30.0}
    with desk.database.transaction() as tx:
        matched = [tx.execute(statements.TAKE, given).rowcount for _ in range(2)]
    assert matched == [1, 0]
    assert desk.claims("b").due() == []


def test_states_are_no_parameters(desk):
    text = str(statements.DUE.compile(desk.database.engine))
    assert "'pending'" in text and "POSTCOMPILE" not in text
