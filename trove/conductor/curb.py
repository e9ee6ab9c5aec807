# SPDX-License-Identifier: Apache-2.0
"""Who floods is shut out of the broker for a while, and let in again by itself.

A guest can send quicker than anybody reads, and everything it sends stands between the
others and us. Dropping it (``rpc/rates.py``) bounds what it costs us, not what it costs
them: only when its connections are closed does the queue run empty.

The broker holds the record (a limit of no connections), so a conductor that starts, or
another one, finds who is out and lets them in when their time is over.
"""

import dataclasses
import logging
import time
import typing

from sqlalchemy import orm

from trove import errors
from trove.db.session import Database
from trove.db.tables import Instance
from trove.model import naming
from trove.rpc.rates import FLOODS, Floods
from trove.workflow import journal

LOG = logging.getLogger(__name__)

EVERY = 0.5
"""Seconds between two looks, in memory, at who floods."""
SWEEP = 15.0
"""Seconds between two looks, at the broker, at who is out."""
FIRST, LONGEST = 60.0, 900.0
"""Seconds that a guest is out: doubled each time that it comes back and goes on."""
GOOD = 3600.0
"""Seconds after which what it did before is forgotten."""


class Gate(typing.Protocol):
    """What is needed of the broker (``rpc/broker.py``)."""

    def shut_out(self, instance: str) -> bool: ...

    def let_in(self, instance: str) -> None: ...

    def shut_out_now(self) -> list[str]: ...


@dataclasses.dataclass(slots=True)
class Stay:
    """How long one is out, and until when; ``until`` None: it is in again."""

    seconds: float
    until: float | None
    since: float


class Curb:
    """``round`` is one look; the conductor takes one every ``EVERY`` seconds."""

    def __init__(
        self,
        database: Database,
        gate: Gate,
        floods: Floods = FLOODS,
        *,
        clock: typing.Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._gate, self._floods = database, gate, floods
        self._clock = clock
        self._stays: dict[str, Stay] = {}
        self._swept: float | None = None

    def round(self) -> None:
        """Shuts out who floods; lets in whose time is over."""
        moment = self._clock()
        for user in self._floods.take():
            instance = naming.guest_of(user)
            if instance is None:
                continue
            try:
                self._out(instance, moment)
            except errors.TroveError:
                self._floods.note(user)  # it is tried again with the next look
                raise
        if self._swept is None or moment - self._swept >= SWEEP:
            self._swept = moment
            self._sweep(moment)

    def _out(self, instance: str, moment: float) -> None:
        stay = self._stays.get(instance)
        if stay is not None and stay.until is not None:
            # What it sent before it was shut out is still being read; or a connection
            # was being made just then, which is closed with the others.
            if moment - stay.since < SWEEP:
                return
            stay.since = moment
            self._gate.shut_out(instance)
            return
        seconds = FIRST if stay is None else min(LONGEST, stay.seconds * 2)
        if not self._gate.shut_out(instance):
            return
        self._stays[instance] = Stay(seconds, moment + seconds, moment)
        LOG.warning(
            "instance %s: its guest floods the broker, and is shut out for %d s",
            instance,
            seconds,
        )
        self._tell(instance, "guest.shut_out")

    def _sweep(self, moment: float) -> None:
        out = self._gate.shut_out_now()
        for instance in out:
            stay = self._stays.get(instance)
            if stay is None or stay.until is None:  # another conductor's
                stay = self._stays[instance] = Stay(FIRST, moment + FIRST, moment)
            if stay.until is not None and moment >= stay.until:
                self._gate.let_in(instance)
                stay.until, stay.since = None, moment
                LOG.warning("instance %s: its guest is let in again", instance)
                self._tell(instance, "guest.let_in")
        for instance, stay in list(self._stays.items()):
            if stay.until is not None and instance not in out:
                stay.until = None  # let in by another, or deleted
            elif stay.until is None and moment - stay.since > GOOD:
                del self._stays[instance]

    def _tell(self, instance: str, kind: str) -> None:
        """An event of the instance, where its history is read."""

        def work(tx: orm.Session) -> None:
            if tx.get(Instance, instance) is not None:
                journal.event(tx, instance, kind)

        self._database.run(work)
