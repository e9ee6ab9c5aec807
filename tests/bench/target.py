# SPDX-License-Identifier: Apache-2.0
"""A target: one Trove-compatible endpoint, and what is known of the processes behind.

``Described`` is one that somebody else runs, by a file of JSON (its keys are in
doc/developer/performance.rst); ``stand.Stand`` is ours.
"""

import contextlib
import json
import pathlib
import string
import subprocess
import time
import typing

import requests

Plain = dict[str, typing.Any]
Argv = list[str]


class Target(typing.Protocol):
    """What the measures need."""

    name: str
    host: str
    port: int
    projects: dict[str, str]
    """Project ids by the number of instances in them, and ``create``."""
    shown: dict[str, str]
    """An instance to show, by the same numbers."""

    def token(self, project: str) -> str: ...

    def order(self, name: str) -> Plain:
        """The body of a create."""

    def pids(self) -> dict[str, int]:
        """api, taskmanager, conductor; children are found by whoever counts."""

    def restart(self, process: str) -> float | None:
        """Seconds from start to ready; None where nobody knows how."""

    def statuses(self, project: str) -> dict[str, str]:
        """Of every instance, past the API: to ask it would load it."""

    def counters(self) -> dict[str, int]:
        """Statements so far, by kind."""

    def wipe(self, project: str) -> None:
        """Removes every instance of it."""

    def pause(self, stopped: bool) -> None:
        """Stops, or continues, the taskmanager."""

    def heartbeats(self, instances: int, count: int, rate: float) -> Plain | None:
        """Sends some through the conductor: at once (rate 0) or paced, and the lag."""


class Described:
    """A target that runs already."""

    def __init__(self, path: pathlib.Path) -> None:
        said = json.loads(path.read_text())
        self._said = said
        self.name: str = said["name"]
        place = said["url"].partition("://")[2].rstrip("/")
        self.host, _, port = place.partition(":")
        self.port = int(port)
        self.projects: dict[str, str] = said["projects"]
        self.shown: dict[str, str] = said.get("show", {})
        self._tokens: dict[str, str] = {}
        self._probe: subprocess.Popen[str] | None = None

    def token(self, project: str) -> str:
        auth = self._said["auth"]
        if "token" in auth:
            return str(auth["token"]).replace("{project}", project)
        if project not in self._tokens:
            self._tokens[project] = keystone(
                auth["url"], auth["user"], auth["password"], project
            )
        return self._tokens[project]

    def order(self, name: str) -> Plain:
        text = json.dumps(self._said["create"])
        return typing.cast(Plain, json.loads(text.replace("{name}", name)))

    def pids(self) -> dict[str, int]:
        found = {}
        for name, process in self._said.get("processes", {}).items():
            with contextlib.suppress(OSError, ValueError):
                found[name] = int(pathlib.Path(process["pid_file"]).read_text())
        return found

    def restart(self, process: str) -> float | None:
        how = self._said.get("processes", {}).get(process, {})
        if "start" not in how:
            return None
        self._run(how["stop"])
        time.sleep(0.5)
        begun = time.perf_counter()
        self._run(how["start"])
        if "ready" in how:
            self._run(how["ready"])
        else:
            answering(self)
        return time.perf_counter() - begun

    def statuses(self, project: str) -> dict[str, str]:
        if self._probe is None:
            self._probe = subprocess.Popen(
                self._said["commands"]["statuses"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        asked, told = self._probe.stdin, self._probe.stdout
        assert asked is not None and told is not None
        asked.write(project + "\n")
        asked.flush()
        return typing.cast(dict[str, str], json.loads(told.readline()))

    def counters(self) -> dict[str, int]:
        return typing.cast(dict[str, int], self._command("counters") or {})

    def wipe(self, project: str) -> None:
        self._command("wipe", project=project)

    def pause(self, stopped: bool) -> None:
        self._command("pause" if stopped else "resume")

    def heartbeats(self, instances: int, count: int, rate: float) -> Plain | None:
        kind = "heartbeats" if rate else "burst"
        seconds = count / rate if rate else 0
        told = self._command(
            kind, instances=instances, count=count, rate=rate, seconds=seconds
        )
        return None if told is None else typing.cast(Plain, told)

    def close(self) -> None:
        """Ends what was started to look."""
        if self._probe is not None:
            assert self._probe.stdin is not None
            self._probe.stdin.close()
            self._probe.wait(10)

    def _command(self, name: str, **values: object) -> typing.Any:
        argv = self._said.get("commands", {}).get(name)
        if argv is None:
            return None
        filled = [string.Template(word).safe_substitute(values) for word in argv]
        lines = self._run(filled).strip().splitlines()
        with contextlib.suppress(ValueError, IndexError):
            return json.loads(lines[-1])
        return {}

    def _run(self, argv: Argv) -> str:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=300, cwd="/"
        )
        if done.returncode:
            raise RuntimeError(f"{self.name}: {argv}: {done.stderr[-2000:]}")
        return done.stdout


def keystone(url: str, user: str, password: str, project: str) -> str:
    """A token of that project's."""
    who = {"name": user, "domain": {"id": "default"}, "password": password}
    body = {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": who}},
            "scope": {"project": {"id": project}},
        }
    }
    answer = requests.post(f"{url}/auth/tokens", json=body, timeout=20)
    answer.raise_for_status()
    return answer.headers["X-Subject-Token"]


def answering(target: Target, within: float = 60.0) -> None:
    """Until the API answers a member of a project: its pipeline is whole."""
    project = next(iter(target.projects.values()))
    place = f"http://{target.host}:{target.port}/v1.0/{project}/datastores"
    headers = {"X-Auth-Token": target.token(project)}
    end = time.monotonic() + within
    while True:
        try:
            requests.get(place, headers=headers, timeout=20).raise_for_status()
            return
        except requests.RequestException:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)
