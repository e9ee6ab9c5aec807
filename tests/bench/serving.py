# SPDX-License-Identifier: Apache-2.0
"""What a database does while it is saved: its commits, and the memory of who saves it.

A client commits one row after the other, as fast as it can and then at half of that
pace, at rest and during a backup. The memory is the kernel's own count of the job's
cgroup, with all that the job has started.
"""

import contextlib
import pathlib
import threading
import time
import typing

from tests.system.deployment import Deployment, ask

REST = 20.0
"""Seconds at rest, after which a pace is one."""
CGROUPS = pathlib.Path("/sys/fs/cgroup")
SLICE = "trove-backups.slice"
OWN = ("total_rss", "anon")
LOOK = 0.2
INSERT = "INSERT INTO written (raw) VALUES ('{}')"
TABLES = {
    "mariadb": "CREATE TABLE written (id BIGINT AUTO_INCREMENT PRIMARY KEY, raw TEXT)",
    "postgresql": "CREATE TABLE written (id BIGSERIAL PRIMARY KEY, raw TEXT)",
}


class Writer:
    """Commits until it is left; ``pace`` is commits in a second, at the most."""

    def __init__(self, line: typing.Any, pace: float | None = None) -> None:
        self._line, self._pace = line, pace
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self.done, self.seconds, self.longest = 0, 0.0, 0.0

    def __enter__(self) -> typing.Self:
        self._begun = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()
        self.seconds = time.monotonic() - self._begun

    @property
    def rate(self) -> float:
        """Commits in a second."""
        return self.done / self.seconds

    def wait(self, seconds: float) -> None:
        """Lets it write for so long."""
        self._over.wait(seconds)

    def _write(self) -> None:
        while not self._over.is_set():
            if self._pace is not None:
                due = self._begun + self.done / self._pace
                self._over.wait(max(0.0, due - time.monotonic()))
            begun = time.monotonic()
            ask(self._line, INSERT.format("x" * 200))
            self.longest = max(self.longest, time.monotonic() - begun)
            self.done += 1


class Memory:
    """The most that a guest's jobs were seen to have, in bytes, while this is entered:
    of their own, without the files that the kernel keeps for them."""

    def __init__(self, deployment: Deployment, instance: str) -> None:
        payload = f"lxc.payload.{deployment.container(instance)}/{SLICE}/memory.stat"
        self._places = (CGROUPS / "memory" / payload, CGROUPS / payload)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak = 0

    def __enter__(self) -> typing.Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(LOOK):
            for place in self._places:  # of version 1, and of 2
                with contextlib.suppress(OSError):  # it ends with its last process
                    said = dict(map(str.split, place.read_text().splitlines()))
                    self.peak = max(self.peak, *(int(said.get(k, 0)) for k in OWN))


def measure(
    line: typing.Any,
    datastore: str,
    memory: typing.Callable[[], Memory],
    save: typing.Callable[[], object],
    say: typing.Callable[[str, str, float], None],
) -> None:
    """At rest and while ``save`` is done; says each figure with its kind."""
    ask(line, TABLES[datastore])
    with Writer(line) as idle:
        idle.wait(REST)
    for name, wanted in (("all it can", None), ("half of that", idle.rate / 2)):
        with memory() as used, Writer(line, wanted) as busy:
            save()
        rest = wanted or idle.rate
        say(f"commits/s at rest, {name}", "raw", rest)
        say(f"commits/s during a backup, {name}", "ours", busy.rate)
        say(f"commits during a backup beside rest, {name}", "ratio", busy.rate / rest)
        say(f"its longest commit, ms, {name}", "ours", 1000 * busy.longest)
        say(f"memory of the job, MiB, {name}", "ours", used.peak / 2**20)
    ask(line, "DROP TABLE written")
