# SPDX-License-Identifier: Apache-2.0
"""The systemd unit an engine runs in: start, stop, and what a silent engine is."""

import re

from trove import errors
from trove.datastores.places import Places
from trove.datastores.protocol import Health, Host
from trove.model.states import Service

START_TIMEOUT = 600.0
"""Seconds; crash recovery of a large redo log takes its time."""
STOP_TIMEOUT = 600.0
PATIENT = 10.0
"""Seconds for systemd's word of how a start ended; whoever asks has waited longer."""

SECRETS = re.compile(
    r"\*[0-9A-Fa-f]{40}|SCRAM-SHA-256\$[^\s'\"]+|#[0-9a-f]{64}(?![0-9a-f])"
)

MOUNTED = "AssertPathIsMountPoint"

TEXT = """\
[Unit]
Description={title}, run by the Trove guest agent
After=network.target
RequiresMountsFor={data}
AssertPathIsDirectory={data}
{unit}
[Service]
Type=notify
User={user}
Group={user}
{service}
Restart=on-failure
RestartSec=5
TimeoutStartSec=600
TimeoutStopSec=600
UMask=0077
NoNewPrivileges=yes
ProtectSystem=full
ProtectHome=yes
ProtectControlGroups=yes
"""

SILENT = {
    "inactive": (Service.STOPPED, "the database is stopped"),
    "deactivating": (Service.STOPPED, "the database is stopping"),
    "failed": (Service.CRASHED, "the database ended by itself"),
    "activating": (Service.STARTING, "the database is starting"),
    "reloading": (Service.STARTING, "the database is starting"),
}

ENDED = {
    "oom-kill": "the database was killed for want of memory",
    "signal": "the database was killed by a signal",
    "core-dump": "the database crashed",
    "exit-code": "the database ended with an error",
    "timeout": "the database did not start in time",
}
"""systemd's word for how a unit's processes ended, where it starts them again."""


def scrub(text: str, limit: int = 400) -> str:
    """The text on one line, without anything derived from a password, and short."""
    return SECRETS.sub("***", " ".join(text.split()))[:limit]


class Unit:
    """One unit. ``complaint`` finds the engine's own error lines in its log."""

    def __init__(self, host: Host, name: str, path: str, complaint: str) -> None:
        self.name = name
        self._host = host
        self._path = path
        self._complaint = re.compile(complaint)

    def install(
        self,
        title: str,
        places: Places,
        user: str,
        service: str,
        unit: str = "",
    ) -> None:
        """Writes the unit file, in place of the package's own if that has its name.

        ``service`` and ``unit`` are the engine's own lines of those sections. Data that
        are on a volume are never looked for on the root disk again: an engine that
        started on an empty mount point would seem well, and have lost everything.
        """
        mounted = f"{MOUNTED}={places.volume}\n"
        before = self._host.read_file(self._path) or ""
        if self._host.is_mount(places.volume) or mounted in before:
            unit += mounted
        text = TEXT.format(
            title=title, data=places.data, user=user, service=service, unit=unit
        )
        self._host.write_file(self._path, text)

    @property
    def running(self) -> bool:
        """Whether it is up, or about to be.

        One that ended with an error, which systemd only waits to start again, is not.
        """
        state = self._host.service_state(self.name)
        if state == "activating":
            return self._host.service_result(self.name) not in ENDED
        return state not in ("inactive", "failed")

    def start(self) -> None:
        """Starts it and waits until it says that it is ready."""
        self._do("start", START_TIMEOUT)

    def stop(self) -> None:
        """Stops it in good order."""
        self._do("stop", STOP_TIMEOUT)

    def restart(self) -> None:
        """Stops it in good order, and starts it."""
        self._do("restart", STOP_TIMEOUT + START_TIMEOUT)

    def silent(self, why: str) -> Health:
        """What an engine is that does not answer."""
        found = self._host.service_state(self.name)
        state, reason = SILENT.get(found, (Service.RUNNING, why))
        if found in ("failed", "activating"):
            # Also while systemd waits to start it again: it did not end for nothing
            ended = ENDED.get(self._host.service_result(self.name))
            if ended is not None:
                return Health(state=Service.CRASHED, why=ended)
        return Health(state=state, why=reason)

    def complaint(self, latest: bool = False) -> str:
        """The last error line the engine wrote; empty when there is none. ``latest``:
        since it was last started."""
        lines = self._host.service_log(self.name, latest=latest).splitlines()
        for line in reversed(lines):
            if self._complaint.search(line):
                return scrub(line)
        return ""

    def _do(self, action: str, timeout: float) -> None:
        try:
            self._host.service(action, self.name, timeout=timeout)
        except errors.CommandFailed as failed:
            why = self._end() or _systemd(failed.message)
            raise errors.EngineFailed(why=why) from failed

    def _end(self) -> str:
        """Its own error line, or how it ended and the last line that it wrote.

        Of this start only: it said goodbye to whom it served, as errors, when it was
        stopped. And one that was not begun (its volume is away) has written nothing.
        """
        ended = ENDED.get(self._host.service_result(self.name, PATIENT))
        if not ended and self._host.service_state(self.name, PATIENT) == "inactive":
            return ""
        if said := self.complaint(latest=True):
            return said
        lines = self._host.service_log(self.name, latest=True).split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        return scrub(f"{ended}; it wrote last: {last}") if ended and last else ""


def _systemd(said: str) -> str:
    """What systemd said, without the place to look at, which its reader cannot."""
    return scrub(said).partition('See "systemctl')[0].rstrip()


def taken(host: Host, path: str, within: float) -> int:
    """Bytes that what is there has on its volume; files may go meanwhile."""
    argv = ["du", "--summarize", "--block-size=1", "--", path]
    return int(host.run(argv, timeout=within, check=False).stdout.split()[0])
