# SPDX-License-Identifier: Apache-2.0
"""What was done for a key answers what it answered then, wherever it was cut off."""

import typing

import pytest

from tests.api.world import World
from trove import errors
from trove.actions.begin import Token
from trove.actions.once import Once

Any = typing.Any


class Script:
    """A request of three transactions; the one at ``dies`` comes to nothing."""

    def __init__(self, world: World, said: str = "said") -> None:
        self.world, self.said = world, said
        self.done: list[int] = []

    def play(self, dies: int | None = None) -> list[int]:
        once = Once(self.world.services, "p", Token("k", self.said))
        answers = []
        for turn in range(3):

            def work(tx: Any, turn: int = turn) -> int:
                self.done.append(turn)
                if turn == dies:
                    raise errors.Conflict("not now")
                return turn * 10

            answers.append(once.services.database.run(work))
        once.end()
        return answers


@pytest.mark.parametrize("dies", [None, 0, 1, 2])
def test_each_transaction_is_done_once(world: World, dies: int | None) -> None:
    script = Script(world)
    if dies is not None:
        with pytest.raises(errors.Conflict):
            script.play(dies)
        assert script.done.pop() == dies
    assert script.play() == [0, 10, 20]
    assert script.play() == [0, 10, 20]
    assert script.done == [0, 1, 2]


def test_another_body_is_another_request(world: World) -> None:
    script = Script(world)
    with pytest.raises(errors.Conflict):
        script.play(0)
    Script(world, "another").play()
    with pytest.raises(errors.IdempotencyMismatch):
        script.play()


def test_it_is_over_at_its_end(world: World) -> None:
    token = Token("k", "said")
    once = Once(world.services, "p", token)
    once.services.database.run(lambda tx: None)
    assert not Once(world.services, "p", token).over
    once.end()
    assert Once(world.services, "p", token).over
    with pytest.raises(errors.IdempotencyMismatch):
        _ = Once(world.services, "p", Token("k", "another")).over


def test_what_json_cannot_hold_is_no_answer(world: World) -> None:
    """It would be another thing the second time."""
    once = Once(world.services, "p", Token("k", "said"))
    with pytest.raises(Exception, match="not JSON serializable"):
        once.services.database.run(lambda tx: object())
