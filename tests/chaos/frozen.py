# SPDX-License-Identifier: Apache-2.0
"""Volumes that guests of a chaos world hold still, and what snapshots of them have.

What is on a volume is ``still`` while it is frozen. A snapshot has what was there when
it was ordered; one that is not available yet when its volume is thawed is ``torn``.
"""

import typing

from tests.chaos.store import Savers
from trove.cloud.memory import world as memory
from trove.db.tables import Backup
from trove.model import naming
from trove.model.backups import SNAPSHOT

STILL, TORN = "still", "torn"
UNTIL = "until"
"""Where the moment is kept at which the guest thaws by itself."""


class Frozen:
    """What the guests do of it; ``savers`` has what their jobs say."""

    def __init__(self, cloud: memory.World, savers: Savers) -> None:
        self._cloud, self._savers = cloud, savers

    @property
    def _said(self) -> dict[str, dict[str, typing.Any]]:
        return self._savers.said

    def hears(
        self, job: str, method: str, instance: str, seconds: int, now: float
    ) -> None:
        """A job that is done for the first time."""
        if method == "freeze":
            self._said[UNTIL] = {"instance": instance, "moment": now + seconds}
            self._said[job] = {"frozen": True}
            for volume in self._volumes(instance):
                volume.holds = STILL
        elif method == "thaw":
            self.passes(now)
            self._said[job] = {"held": UNTIL in self._said}
            self._thaw(instance)

    def passes(self, now: float) -> None:
        """Nobody is asked whether a volume may be held still for longer."""
        held = self._said.get(UNTIL)
        if held is not None and held["moment"] <= now:
            self._thaw(held["instance"])

    def _thaw(self, instance: str) -> None:
        self._said.pop(UNTIL, None)
        for volume in self._volumes(instance):
            volume.holds = ""
            for other in self._cloud.made.values():
                if other.volume == volume.id and other.passing:
                    other.holds = TORN

    def _volumes(self, instance: str) -> list[memory.Made]:
        return [
            made
            for made in self._cloud.made.values()
            if made.kind == "volume" and naming.owner(made.key) == instance
        ]


def check(cloud: memory.World, rows: typing.Sequence[Backup]) -> None:
    """A COMPLETED one is of a volume that stood still all the time (INV-10), of no
    other one anything is left, and what is restored is what it has."""
    made = [thing for thing in cloud.made.values() if thing.kind == "snapshot"]
    there = {naming.owner(thing.key): thing for thing in made}
    assert len(there) == len(made), "INV-2: twins"
    for row in rows:
        thing = there.pop(row.id, None)
        if row.state == "COMPLETED":
            assert thing is not None, "INV-10: it is not there"
            assert thing.holds == STILL, "INV-10: it was written to meanwhile"
            assert (row.driver, row.size) == (SNAPSHOT, thing.size * 2**30)
        else:
            assert row.state == "DELETE_FAILED" or thing is None, "INV-16: left there"
    assert not there, "INV-16: of a backup that is gone"
