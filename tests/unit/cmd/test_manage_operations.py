# SPDX-License-Identifier: Apache-2.0
"""trove-manage operations show: where the time went."""

from trove.cmd.manage_operations import timed
from trove.db.queries.operations import Shown


def operation(state: str, *begun: float) -> Shown:
    return Shown(
        {"state": state, "created": 100.0, "updated": 190.0, "due": 185.0},
        tuple({"name": f"s{n}", "begun_at": at} for n, at in enumerate(begun)),
    )


def test_a_step_took_until_the_next_began_and_the_last_until_the_end():
    facts, steps = timed(operation("done", 101.0, 105.0, 180.0), moment=999.0)
    assert [step["took"] for step in steps] == [4.0, 75.0, 10.0]
    assert (facts["waited"], facts["took"], facts["due"]) == (1.0, 90.0, None)


def test_a_running_one_takes_until_now():
    facts, steps = timed(operation("running", 101.0, 105.0), moment=200.0)
    assert [step["took"] for step in steps] == [4.0, 95.0]
    assert (facts["took"], facts["due"]) == (100.0, 185.0)


def test_one_that_nobody_took_waits():
    facts, steps = timed(operation("pending"), moment=160.0)
    assert steps == [] and facts["waited"] == facts["took"] == 60.0
