# SPDX-License-Identifier: Apache-2.0
"""Whether an engine really serves: it lets us in, and takes a write, in bounded time.

Each look opens a new connection (does it still accept any?), writes through it, and
keeps it until the next look: when all connections are taken, also those in reserve, the
kept one still tells the truth.
"""

import dataclasses
import time
import typing

from trove.datastores.protocol import Health
from trove.datastores.unit import Unit, scrub
from trove.model.states import Service

BUDGET = 2.7
"""Seconds for everything."""

Left = typing.Callable[[], float]
"""The seconds that are left of the budget."""


class Filled(Exception):
    """A write was refused for there is no room for it, in words of ours."""


class Closed(typing.Protocol):
    """A connection, as far as it matters here."""

    def close(self) -> None: ...


Talk = typing.TypeVar("Talk", bound=Closed)


class Probe(typing.Protocol[Talk]):
    """What an engine's own look is made of. ``failures`` are what a driver raises."""

    @property
    def failures(self) -> tuple[type[Exception], ...]: ...

    def connect(self) -> Talk: ...

    def crowded(self, failed: Exception) -> bool:
        """Whether it refused a connection only because all are in use."""

    def look(self, talk: Talk, left: Left) -> Health:
        """Who it is: HEALTHY, or READ_ONLY as it is configured."""

    def write(self, talk: Talk, found: Health, left: Left) -> None:
        """Writes a row that is nobody's data; a replica need not. May raise ``Filled``
        where users read, and make room, though nobody can write."""


class Pulse(typing.Generic[Talk]):
    """Takes the health of one engine."""

    def __init__(
        self,
        probe: Probe[Talk],
        unit: Unit,
        clock: typing.Callable[[], float] = time.monotonic,
    ) -> None:
        self._probe = probe
        self._unit = unit
        self._clock = clock
        self._kept: Talk | None = None

    def forget(self) -> None:
        """Drops the kept connection, so that a stopping server need not."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def take(self) -> Health:
        """Looks once; never raises for a sick engine."""
        end = self._clock() + BUDGET
        note = ""
        try:
            fresh = self._probe.connect()
        except self._probe.failures as failed:
            if not self._probe.crowded(failed):
                self.forget()
                return self._unit.silent("the database does not answer")
            note = "all connections are in use"
        else:
            self.forget()
            self._kept = fresh
        if self._kept is None:
            return Health(state=Service.RUNNING, why=note)
        return self._look(self._kept, lambda: end - self._clock(), note)

    def _look(self, talk: Talk, left: Left, note: str) -> Health:
        try:
            found = self._probe.look(talk, left)
        except self._probe.failures:
            self.forget()
            return self._unit.silent("the database does not answer in time")
        state, why = Service(found.state), note or found.why
        try:
            self._probe.write(talk, found, left)
        except Filled as full:
            return dataclasses.replace(
                found, state=Service.READ_ONLY, why=str(full), filled=True
            )
        except self._probe.failures as failed:
            self.forget()  # it may hold half a transaction
            why = f"a write failed: {scrub(str(failed))}"
            if state == Service.HEALTHY:
                state = Service.RUNNING
        if state == Service.READ_ONLY:
            why = why or "the database is read-only"
        return dataclasses.replace(found, state=state, why=why)
