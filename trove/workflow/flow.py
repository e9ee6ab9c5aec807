# SPDX-License-Identifier: Apache-2.0
"""What a long operation is: named steps in order, each with its undo.

A step is called with a context (``flows/context.py``) and may run twice. It returns a
dict of plain values (its output, written with its *done*), None, or a ``Wait`` when it
is not finished; it never sleeps. After the step marked ``pivot`` there is no undo: the
flow only goes forward (operations.md, rule 8).
"""

import dataclasses
import typing

Output = dict[str, typing.Any] | None


@dataclasses.dataclass(frozen=True, slots=True)
class Wait:
    """Returned by a step that is not finished: call it again in ``seconds``."""

    seconds: float
    why: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Settle:
    """A step's output, with rows that change in the same transaction as its *done*."""

    work: typing.Callable[[typing.Any], None]
    output: dict[str, typing.Any] | None = None


Deed = typing.Callable[[typing.Any], "Output | Wait | Settle"]


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One deed, what takes it back, and how long it may stay unfinished (seconds).

    ``wanted`` is asked when the step's turn comes: one that is not wanted is passed
    over, and has neither row nor undo. Never a flow's first step, nor its last one.
    """

    do: Deed
    undo: Deed | None = None
    within: float | None = None
    pivot: bool = False
    wanted: typing.Callable[[typing.Any], bool] | None = None

    @property
    def name(self) -> str:
        """The deed's own name: it is the step's identity in the journal."""
        return self.do.__name__


@dataclasses.dataclass(frozen=True, slots=True)
class Flow:
    """A kind of operation: its steps, and when it is overdue (seconds)."""

    kind: str
    steps: tuple[Step, ...]
    deadline: float
    version: int = 1
    failed: typing.Callable[[typing.Any, typing.Any, str], None] | None = None
    """``failed(ctx, tx, fault)`` runs in the transaction that ends a failed one."""

    def __post_init__(self) -> None:
        names = [step.name for step in self.steps]
        if len(names) != len(set(names)):
            raise ValueError(f"{self.kind}: two steps share a name")
        if any(step.wanted for step in (self.steps[0], self.steps[-1])):
            raise ValueError(f"{self.kind}: its first and its last step are for all")

    def place(self, begun: typing.Container[str]) -> int:
        """How far one has come of which these steps have begun."""
        places = (at for at, step in enumerate(self.steps) if step.name in begun)
        return max(places, default=0)

    def after(self, seq: int, ctx: typing.Any) -> tuple[str, int] | None:
        """The next step that is wanted, and its place; None: that was the last."""
        for place in range(seq + 1, len(self.steps)):
            step = self.steps[place]
            if step.wanted is None or step.wanted(ctx):
                return step.name, place
        return None


def minutes(count: float) -> float:
    """Minutes as seconds."""
    return count * 60.0
