# SPDX-License-Identifier: Apache-2.0
"""A whole deployment of the tests' own, seen from outside: as an operator, as users.

It is made by ``trove.cmd.quickstart`` under a layout of its own (directory, ports,
bridge, network), so it stands beside a quickstart that somebody uses.
"""

import contextlib
import json
import os
import pathlib
import signal
import sqlite3
import ssl
import subprocess
import sys
import time
import typing

import psycopg
import pymysql
import yaml
from keystoneauth1 import adapter, session
from keystoneauth1.identity import V3Password

from trove.actions import audit
from trove.cloud.openstack import OpenstackCloud
from trove.cloud.openstack.session import Settings
from trove.db.session import Database
from trove.localcloud import identity, rabbitmq
from trove.localcloud.layout import Layout
from trove.service import supervisor

VERSIONS = {"mariadb": "10.11", "postgresql": "15"}
FOREVER = 180.0
"""Seconds that anything may take on a loaded machine of two cores."""
PATIENT, SELDOM = 20, 0.5
"""A pause is one in so many of what was waited by then, and seconds, at the most."""
WITNESSES: list[typing.Callable[[], str]] = []
"""Who is asked, when a wait was in vain, what is going on instead."""


def until(
    what: str,
    look: typing.Callable[[], typing.Any],
    within: float = FOREVER,
    every: float = 0.1,
) -> typing.Any:
    """What ``look`` answers as soon as that is true.

    It is asked ``every`` so many seconds, which a service that counts requests is to be
    spared, and less often the longer it takes: each question takes processors from
    what is waited for.
    """
    begun = time.monotonic()
    end = begun + within
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > end:
            told = "; ".join([what, *(witness() for witness in WITNESSES)])
            raise AssertionError(f"not within {within:.0f} s: {told}")
        waited = time.monotonic() - begun
        time.sleep(max(every, min(waited / PATIENT, SELDOM)))


def completed(user: "User", backup: str, within: float = FOREVER) -> typing.Any:
    """A backup, once it is whole."""

    def whole() -> typing.Any:
        found = user.ask("GET", f"/backups/{backup}").json()["backup"]
        assert found["status"] != "FAILED", found
        return found if found["status"] == "COMPLETED" else None

    return until(f"{backup} is COMPLETED", whole, within, every=1)


class Deployment:
    """The operator's hands."""

    def __init__(self, place: Layout) -> None:
        self.place = place
        self.first_start = ""
        """What the very first start said."""

    def quickstart(self, *words: str, within: float = 600) -> str:
        """``bin/quickstart`` after its own set-up; its output."""
        place = self.place
        done = subprocess.run(
            [
                *(sys.executable, "-m", "trove.cmd.quickstart"),
                *("--state-dir", str(place.state), "--cache-dir", str(place.cache)),
                *("--tag", place.tag, "--cidr", place.cidr),
                *("--ports", str(place.ports), *words),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=within,
            cwd="/",
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def audit(self) -> list[str]:
        """``trove-manage audit``: what is violated."""
        done = subprocess.run(
            [
                *(sys.executable, "-m", "trove.cmd.manage"),
                f"--config-file={self.place.etc / 'trove.conf'}",
                "audit",
            ],
            capture_output=True,
            text=True,
            timeout=120,
            cwd="/",
            check=False,
        )
        assert done.returncode in (0, 3), done.stderr
        return [] if done.returncode == 0 else done.stdout.splitlines()

    def cloud(self) -> OpenstackCloud:
        """What the control plane sees of the cloud; to be closed."""
        return OpenstackCloud(
            Settings(
                auth_url=f"{identity.url(self.place)}/v3",
                deployment=self.place.tag,
                username="trove",
                password=identity.passwords(self.place)["trove"],
                project_name=identity.SERVICE,
                region_name=identity.REGION,
            )
        )

    def violations(self) -> list[str]:
        """The same, looked at from this process: a second, where that takes three."""
        cloud = self.cloud()
        database = Database(f"sqlite:///{self.place.database}")
        try:
            broker = rabbitmq.access(self.place).broker()
            return [str(found) for found in audit.audit(database, cloud, broker)]
        finally:
            cloud.close()
            database.close()

    # -- processes -----------------------------------------------------------------

    def processes(self) -> dict[str, dict[str, typing.Any]]:
        told = supervisor.ask(self.place.run, "status")
        return {one["name"]: one for one in told["processes"]}

    def kill(self, pid: int) -> None:
        """kill -9 of one of the deployment's own."""
        ours = {one["pid"] for one in self.processes().values()}
        assert pid in ours, f"{pid} is not ours: {ours}"
        os.kill(pid, signal.SIGKILL)

    def rest(self, *pids: int) -> bool:
        """Stops them, none in a transaction: SQLite's lock would be everybody's.

        False, and they go on, when one was.
        """
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        path = self.place.database
        line = sqlite3.connect(path, timeout=1, isolation_level=None)
        with contextlib.closing(line):
            try:
                line.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)
                return False
            line.execute("ROLLBACK")
        return True

    def all_up(self) -> bool:
        return all(one["state"] == "up" for one in self.processes().values())

    # -- the journal, only read ----------------------------------------------------

    def rows(self, sql: str, *values: typing.Any) -> list[tuple[typing.Any, ...]]:
        with sqlite3.connect(f"file:{self.place.database}?mode=ro", uri=True) as line:
            return line.execute(sql, values).fetchall()

    def unfinished(self) -> str:
        """What is under way, how far its guests' jobs are, what these report, and how
        the cloud shows their servers."""
        said = [
            f"{kind} at "
            + ", ".join(
                f"{name} {how}"
                for name, how in self.rows(
                    "SELECT name, state FROM operation_steps WHERE operation_id = ? "
                    "ORDER BY seq DESC LIMIT 4",
                    id,
                )
            )
            for id, kind in self.rows(
                "SELECT id, kind FROM operations WHERE lock_key IS NOT NULL"
            )
        ]
        said += [
            f"job {method} {state} {progress} % {fault or ''}, guest {service} {why}"
            f" {time.time() - seen:.0f} s ago"
            for method, state, progress, fault, service, why, seen in self.rows(
                "SELECT j.method, j.state, j.progress, j.fault,"
                " r.service, r.why, r.received_at FROM operations o"
                " JOIN guest_jobs j ON j.id LIKE o.id || '/%'"
                " LEFT JOIN guest_reports r ON r.instance_id = j.instance_id"
                " WHERE o.lock_key IS NOT NULL ORDER BY j.updated DESC LIMIT 6"
            )
        ]
        with contextlib.closing(self.cloud()) as cloud:
            for (server,) in self.rows(
                "SELECT i.server_id FROM operations o JOIN instances i"
                " ON i.id = o.object_id WHERE o.lock_key IS NOT NULL"
            ):
                shown = cloud.compute.show(server) if server else None
                said += [f"server {shown.status} {shown.fault}"] if shown else []
        return "; ".join(said) or "no operation is under way"

    def under_way(self, instance: str) -> bool:
        """Whether anything is done with it."""
        sql = "SELECT 1 FROM operations WHERE object_id = ? AND lock_key IS NOT NULL"
        return bool(self.rows(sql, instance))

    def at_step(self, instance: str, kind: str, step: str) -> int | None:
        """The pid of the taskmanager that holds the operation at that step or later.

        None while nobody does: it is not there yet, or its holder has just died.
        """
        held = self.rows(
            "SELECT o.owner FROM operations o JOIN operation_steps s "
            "ON s.operation_id = o.id WHERE o.object_id = ? AND o.kind = ? "
            "AND s.name = ? AND o.lock_key IS NOT NULL",
            instance,
            kind,
            step,
        )
        if not held:
            return None
        alive = [
            int(one["pid"])
            for name, one in self.processes().items()
            if name.startswith("taskmanager") and one["pid"] is not None
        ]
        owner = held[0][0]
        if owner is None:  # parked: whichever runs it next is as good
            return alive[0] if alive else None
        pid = int(owner.split(":")[1])
        return pid if pid in alive else None

    # -- guests --------------------------------------------------------------------

    def agent(self, instance: str, file: str) -> str:
        """A file of ``/proc`` about the instance's agent."""
        show = ("systemctl", "show", "-P", "MainPID", "trove-guestagent")
        pid = self.inside(instance, *show).strip()
        return self.inside(instance, "cat", f"/proc/{pid}/{file}")

    def container(self, instance: str) -> str:
        """The container that is the instance's server here."""
        server = self.rows("SELECT server_id FROM instances WHERE id = ?", instance)
        return f"{self.place.tag}-{server[0][0]}"

    def inside(self, instance: str, *argv: str, input: str | None = None) -> str:
        """A program inside the guest, as root: what a compromised guest can do."""
        done = subprocess.run(
            [
                *("lxc-attach", "-P", str(self.place.cloud / "servers")),
                *("-n", self.container(instance), "--", *argv),
            ],
            input=input,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, (argv, done.stdout, done.stderr)
        return done.stdout


class User:
    """A user of the deployment, by a cloud of clouds.yaml."""

    def __init__(
        self, deployment: Deployment, cloud: str, patience: float = FOREVER
    ) -> None:
        self.deployment, self.patience = deployment, patience
        place = deployment.place
        self.authority = str(place.pki / "ca.pem")
        known = yaml.safe_load(place.clouds_yaml.read_text())["clouds"][cloud]
        self.api = adapter.Adapter(
            session.Session(V3Password(**known["auth"])),
            service_type="database",
            region_name=known["region_name"],
            raise_exc=False,
            connect_retries=20,
        )

    def ask(self, method: str, path: str, body: typing.Any = None) -> typing.Any:
        """One request; a rate limit is obeyed as the service asks."""
        while True:
            answer = self.api.request(path, method, json=body)
            wait = answer.headers.get("Retry-After")
            if answer.status_code != 413 or wait is None:
                return answer
            time.sleep(float(wait))

    def create(
        self,
        datastore: str,
        name: str,
        users: typing.Sequence[dict[str, typing.Any]] = (),
        databases: typing.Sequence[str] = ("shop",),
        version: str = "",
        **more: typing.Any,
    ) -> str:
        version = version or VERSIONS[datastore]
        order = {
            "name": name,
            "flavorRef": 1,
            "volume": {"size": 1},
            "datastore": {"type": datastore, "version": version},
            "databases": [{"name": database} for database in databases],
            "users": list(users),
            **more,
        }
        answer = self.ask("POST", "/instances", {"instance": order})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["instance"]["id"])

    def show(self, id: str) -> dict[str, typing.Any] | None:
        answer = self.ask("GET", f"/instances/{id}")
        if answer.status_code == 404:
            return None
        assert answer.status_code == 200, answer.text
        shown: dict[str, typing.Any] = answer.json()["instance"]
        return shown

    def wait(self, id: str) -> dict[str, typing.Any]:
        """Until ACTIVE and HEALTHY; ERROR is a failure with its sentence."""

        def healthy() -> dict[str, typing.Any] | None:
            shown = self.show(id)
            assert shown is not None, f"{id} is gone"
            assert shown["status"] != "ERROR", shown.get("fault")
            good = (shown["status"], shown["operating_status"]) == ("ACTIVE", "HEALTHY")
            return shown if good else None

        return typing.cast(
            dict[str, typing.Any],
            until(f"{id} is ACTIVE and HEALTHY", healthy, self.patience),
        )

    def delete(self, id: str) -> None:
        answer = self.ask("DELETE", f"/instances/{id}")
        assert answer.status_code == 202, answer.text

    def gone(self, id: str) -> None:
        until(f"{id} is gone", lambda: self.show(id) is None, self.patience)

    def connect(
        self, shown: dict[str, typing.Any], user: str, password: str, database: str
    ) -> typing.Any:
        """A connection over TLS that trusts the deployment's CA alone."""
        connect = {
            "mariadb": self._mariadb,
            "mysql": self._mariadb,
            "postgresql": self._postgresql,
        }
        kind = shown["datastore"]["type"]
        return connect[kind](shown["ip"][0], user, password, database)

    def _mariadb(
        self, host: str, user: str, password: str, database: str
    ) -> typing.Any:
        return pymysql.connect(
            host=host,
            user=user,
            password=password.encode(),  # as text, PyMySQL knows latin-1 only
            database=database,
            connect_timeout=20,
            autocommit=True,
            charset="utf8mb4",
            ssl=ssl.create_default_context(cafile=self.authority),
        )

    def _postgresql(
        self, host: str, user: str, password: str, database: str
    ) -> typing.Any:
        return psycopg.connect(
            host=host,
            user=user,
            password=password,
            dbname=database,
            connect_timeout=20,
            autocommit=True,
            sslmode="verify-full",
            sslrootcert=self.authority,
        )


def ask(connection: typing.Any, sql: str, *values: typing.Any) -> typing.Any:
    """Runs one statement; its rows, if it has any."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchall() if cursor.description else None


class Traces:
    """What of a deployment a machine can hold, by its tag, directory and ports."""

    def __init__(self, place: Layout) -> None:
        self._place = place

    def __call__(self) -> dict[str, list[str]]:
        place, servers = self._place, str(self._place.cloud / "servers")
        state = str(place.state)
        return {
            "containers": _lines("lxc-ls", "-P", servers, "-1"),
            "loops": [x for x in _lines("losetup", "-l", "-n") if state in x],
            "links": [
                x
                for x in _lines("ip", "-o", "link")
                if x.split(":")[1].strip().startswith(place.tag)
            ],
            "mounts": [
                x
                for x in pathlib.Path("/proc/mounts").read_text().splitlines()
                if state in x
            ],
            "tables": [x for x in _lines("nft", "list", "tables") if place.tag in x],
            "processes": [x for x in _lines("ps", "-eo", "args") if state in x],
            "groups": [
                str(found)
                for top in pathlib.Path("/sys/fs/cgroup").glob("*")
                for found in top.glob(f"lxc.*{place.tag}-*")
            ],
            "files": [
                str(found)
                for found in (place.state.iterdir() if place.state.exists() else ())
                if found != place.cache
            ],
        }


def _lines(*argv: str) -> list[str]:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.splitlines()


def passwords(place: Layout) -> dict[str, dict[str, typing.Any]]:
    """What the quickstart keeps of the instances that it made."""
    kept: dict[str, dict[str, typing.Any]] = json.loads(
        (place.state / "instances.json").read_text()
    )
    return kept
