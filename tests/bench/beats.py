# SPDX-License-Identifier: Apache-2.0
"""Heartbeats from many guests, and how the conductor keeps up with them.

A heartbeat counts when it is in the database. The guests' first words since the
conductor began are news and written one by one, so they are sent before the clock.
"""

import time
import typing

import amqp

from tests.bench import wire
from trove.model.states import Service
from trove.rpc.messages import Report

LOOK = 0.002
PATIENCE = 120.0


class Beats:
    """A connection for all of ``ids``."""

    _boot = int(time.time())

    def __init__(self, database: typing.Any, line: tuple[str, ...], ids: list[str]):
        self._at, self._ids = database.cursor(), ids
        self._line = wire.connect(*line)
        self._channel = self._line.channel()
        Beats._boot += 1
        self._seq = 0

    def __enter__(self) -> "Beats":
        return self

    def __exit__(self, *about: object) -> None:
        self._line.close()

    def warm(self) -> float:
        """One from each, after a restart of its agent: seconds until all are there."""
        begun = time.perf_counter()
        self._seq += 1
        for id in self._ids:
            wire.publish(self._channel, self._message(id, self._seq))
        self._all(self._seq, len(self._ids))
        return time.perf_counter() - begun

    def burst(self, count: int) -> dict[str, float]:
        """As many as that at once."""
        each = max(1, count // len(self._ids))
        first, self._seq = self._seq + 1, self._seq + each
        messages = [
            self._message(id, seq)
            for seq in range(first, self._seq + 1)
            for id in self._ids
        ]
        begun = time.perf_counter()
        for message in messages:
            wire.publish(self._channel, message)
        self._all(self._seq, len(self._ids))
        seconds = time.perf_counter() - begun
        return {"sent": len(messages), "per_s": len(messages) / seconds}

    def paced(
        self, count: int, rate: float, look: float = LOOK / 2
    ) -> dict[str, float]:
        """So many a second; of ten a second, how long until it is in its row."""
        every = max(1, int(rate / 10))
        lags: list[float] = []
        watched: tuple[str, int, float] | None = None
        begun, sent, ended = time.perf_counter(), 0, 0.0
        while sent < count or watched is not None:
            now = time.perf_counter()
            while sent < count and begun + sent / rate <= now:
                id = self._ids[sent % len(self._ids)]
                seq = self._seq + 1 + sent // len(self._ids)
                wire.publish(self._channel, self._message(id, seq))
                if watched is None and sent % every == 0:
                    watched = (id, seq, time.perf_counter())
                sent += 1
            if watched is not None and self._there(*watched[:2]):
                lags.append(time.perf_counter() - watched[2])
                watched = None
            if now - begun > PATIENCE:
                raise RuntimeError("heartbeats do not arrive")
            if sent == count and ended == 0.0:
                ended = now
            time.sleep(look)
        while not self._there(id, seq):
            time.sleep(look)
        self._seq += 1 + count // len(self._ids)
        lags.sort()
        last = len(lags) - 1
        return {
            "sent": sent,
            "per_s": sent / (ended - begun),
            "drained_s": time.perf_counter() - ended,
            "lag_p50_ms": lags[last // 2] * 1000,
            "lag_p99_ms": lags[min(last, int(0.99 * len(lags)))] * 1000,
        }

    def _message(self, id: str, seq: int) -> amqp.Message:
        report = Report(
            boot=Beats._boot,
            seq=seq,
            service=Service.HEALTHY,
            version="10.11",
            disk_used=1 << 28,
            disk_total=1 << 30,
            agent="bench",
        )
        return wire.heartbeat(id, report)

    def _there(self, id: str, seq: int) -> bool:
        self._at.execute(
            "SELECT 1 FROM guest_reports WHERE instance_id = %s AND boot = %s "
            "AND seq >= %s",
            (id, Beats._boot, seq),
        )
        return self._at.fetchone() is not None

    def _all(self, seq: int, number: int) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            self._at.execute(
                "SELECT COUNT(*) FROM guest_reports WHERE boot = %s AND seq >= %s",
                (Beats._boot, seq),
            )
            if self._at.fetchone()[0] >= number:
                return
            if time.monotonic() > end:
                raise RuntimeError("heartbeats were lost")
            time.sleep(LOOK * 5)
