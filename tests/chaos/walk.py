# SPDX-License-Identifier: Apache-2.0
"""All stories at once: a walk over the states that they pass through.

Stories share most of their ways: what follows a crash depends on the state that
outlived it, and many crashes leave the same state (``states.State.key``). So each state
is carried one turn further only once, and every story is a path over turns that were
played. A turn that makes no call of the fault's name is the same with that fault and
without it.

A story that takes longer than ``states.YOUNG`` seconds, or comes back to a state, could
meet a deadline that the keys leave out: it is played from its birth instead.
"""

import dataclasses
import sys
import typing

from tests.chaos import states, stories
from tests.chaos.world import RECOVERY, Fault, World

Pending = Fault | None
"""A fault that has not happened yet."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A point on a path: a state, whether a taskmanager died there, what is to come."""

    key: bytes
    crashed: bool = False


class Crash(typing.NamedTuple):
    """A crash that a turn could have met: after how long, and where it leads."""

    place: Place
    spent: bool
    """Whether the fault had happened."""
    after: float


@dataclasses.dataclass(slots=True)
class Turn:
    """One turn of a world: a crash for each of its ticks, and where it leads."""

    crashes: list[Crash] = dataclasses.field(default_factory=list)
    calls: frozenset[str] = frozenset()
    spent: bool = False
    seconds: float = 0.0
    following: Place | None = None
    last: bytes = b""
    """The key of the state at the end, when nothing follows."""
    wrong: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Story:
    """What ``stories.one`` plays from its birth."""

    flow: str
    fault: Pending
    bombs: tuple[int, ...]

    def __str__(self) -> str:
        told = ", ".join(repr(part) for part in (self.flow, self.fault, *self.bombs))
        return f"one({told})"


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """How a path ends: in what seconds, and what is wrong; ``lost``: nobody knows."""

    seconds: float
    last: bytes = b""
    wrong: str | None = None
    lost: bool = False


class Walk:
    """Plays the turns that the stories need, and remembers them."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self._births: dict[str, Place] = {}
        self._states: dict[Place, states.State] = {}
        self._turns: dict[tuple[Place, Pending], Turn] = {}
        self._ends: dict[tuple[Place, Pending], End] = {}
        self.stories = 0
        self.replayed = 0

    # -- a flow with a fault -------------------------------------------------------

    def every_crash(
        self, flow: str, fault: Pending, crashes: int = 1, enough: int = sys.maxsize
    ) -> list[str]:
        """A flow with a fault, and so many crashes, each at each tick; what is wrong.

        Each line is the call that plays the story again, and what it says. No more is
        played after ``enough`` lines.
        """
        story = Story(flow, fault, ())
        place = self.begin(story)
        found: list[str] = []
        self._judge(found, story, 0.0, self.end(place, fault))
        self._crashes(found, story, place, fault, 0.0, crashes, enough)
        return found

    def begin(self, story: Story) -> Place:
        """Where a story begins: its request was accepted."""
        if story.flow not in self._births:
            self.world.reset()
            stories.FLOWS[story.flow](self.world)
            self._births[story.flow] = self._at(states.take(self.world))
        return self._births[story.flow]

    def _crashes(
        self,
        found: list[str],
        story: Story,
        place: Place | None,
        pending: Pending,
        passed: float,
        crashes: int,
        enough: int,
    ) -> None:
        ticks = 0
        while place is not None and passed <= states.YOUNG:
            turn = self._turn(place, pending)
            for crash in turn.crashes:
                if len(found) >= enough:
                    return
                ticks += 1
                left = None if crash.spent else pending
                then = passed + crash.after + RECOVERY
                longer = Story(story.flow, story.fault, (*story.bombs, ticks))
                self._judge(found, longer, then, self.end(crash.place, left))
                if crashes > 1:
                    self._crashes(
                        found, longer, crash.place, left, then, crashes - 1, enough
                    )
            passed += turn.seconds
            place, pending = turn.following, None if turn.spent else pending

    def _judge(self, found: list[str], story: Story, passed: float, end: End) -> None:
        self.stories += 1
        wrong = end.wrong
        if end.lost or passed + end.seconds > states.YOUNG:
            wrong = self._from_birth(story)
        if wrong is not None:
            found.append(f"{story}: {wrong}")

    def _from_birth(self, story: Story) -> str | None:
        self.replayed += 1
        try:
            flows = self.world.flows
            stories.one(story.flow, story.fault, *story.bombs, flows=flows)
        except AssertionError as wrong:
            return str(wrong)
        return None

    def end_of(self, story: Story) -> bytes:
        """The key of the state in which a story with one crash ends."""
        place, pending = self.begin(story), story.fault
        (left,) = story.bombs
        while True:
            turn = self._turn(place, pending)
            if left <= len(turn.crashes):
                crash = turn.crashes[left - 1]
                return self.end(crash.place, None if crash.spent else pending).last
            left -= len(turn.crashes)
            if turn.following is None:
                return turn.last
            place, pending = turn.following, None if turn.spent else pending

    # -- paths ---------------------------------------------------------------------

    def end(self, place: Place, pending: Pending) -> End:
        """Where a path leads that no crash disturbs."""
        path: list[tuple[Place, Pending, float]] = []
        seen, passed = set(), 0.0
        here: Place | None = place
        end: End | None = None
        while end is None:
            assert here is not None
            known = self._ends.get((here, pending))
            if known is not None:
                end = known
            elif (here, pending) in seen or passed > states.YOUNG:
                end = End(0.0, lost=True)
            else:
                seen.add((here, pending))
                turn = self._turn(here, pending)
                path.append((here, pending, turn.seconds))
                passed += turn.seconds
                if turn.following is None:
                    end = End(0.0, turn.last, turn.wrong)
                here, pending = turn.following, None if turn.spent else pending
        for where, what, seconds in reversed(path):
            end = dataclasses.replace(end, seconds=end.seconds + seconds)
            self._ends[where, what] = end
        return end

    # -- turns ---------------------------------------------------------------------

    def _at(self, state: states.State, crashed: bool = False) -> Place:
        place = Place(state.key(), crashed)
        self._states.setdefault(place, state)
        return place

    def _turn(self, place: Place, pending: Pending) -> Turn:
        turn = self._turns.get((place, pending))
        if turn is None and pending is not None:
            quiet = self._turn(place, None)
            if pending.call not in quiet.calls:
                return quiet
        if turn is None:
            turn = self._turns[place, pending] = self._play(place, pending)
        return turn

    def _play(self, place: Place, pending: Pending) -> Turn:
        world = self.world
        world.takes_over(pending)
        states.put_back(world, self._states[place])
        begun = world.moment
        turn = Turn()

        last: tuple[states.State, Place] | None = None

        def watch() -> None:
            nonlocal last
            state = states.take(world, RECOVERY)
            if last is None or not state.same(last[0]):
                last = state, self._at(state, crashed=True)
            turn.crashes.append(Crash(last[1], world.spent(), world.moment - begun))

        world.watch = watch
        world.hire()
        try:
            over = world.rest() if place.crashed else world.turn()
            if over:
                turn.last = states.take(world).key()
                world.check()
        except AssertionError as wrong:
            turn.wrong = str(wrong)
        turn.calls, turn.spent = frozenset(world.calls), world.spent()
        if turn.wrong is None and not over:
            turn.following = self._at(states.take(world))
            turn.seconds = world.moment - begun
        return turn

    def __str__(self) -> str:
        return (
            f"{self.stories} stories over {len(self._turns)} turns; {self.replayed} "
            "played from birth"
        )
