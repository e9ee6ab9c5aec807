# SPDX-License-Identifier: Apache-2.0
"""From a POST to a user who is logged in over TLS, and where the seconds go.

``python -m tests.bench --login [--runs N]``. The quickstart's cloud under a layout of
its own, real guests, one at a time of each datastore in turn, then ten at once. The
moments are those that the control plane and the guest wrote down themselves: the
operation's steps, and the journal of the guest.
"""

import concurrent.futures
import contextlib
import os
import pathlib
import statistics
import time
import typing

import psycopg
import pymysql

from tests import slots
from tests.system.deployment import VERSIONS, Deployment, User, until
from trove.localcloud.layout import Layout

USER, PASSWORD, DATABASE = "ada", "correct horse", "shop"
WITHIN = 120.0
CROWD = 10
LOOK = 0.05
"""Seconds between two tries to log in."""
LOGIN = "a login over TLS as the user, with a query"
ACTIVE = "ACTIVE and HEALTHY"
SAID = {
    "this guest has enrolled": "guest: enrolled, its own broker user",
    "connected to the control plane": "guest: listens",
    "prepare is under way": "guest: prepare begins",
    "order read": "guest: order read",
    "volume mounted": "guest: volume mounted",
    "engine configured": "guest: engine configured",
    "engine initialised": "guest: engine initialised",
    "engine started": "guest: engine started",
    "databases made": "guest: databases made",
    "accounts made": "guest: accounts made",
    "prepare is done": "guest: healthy by its write probe",
}
"""What the agent's journal says, and what it means here; each counts once."""

Moments = dict[str, float]
"""What happened, and when: seconds since the POST was sent."""


@contextlib.contextmanager
def stand() -> typing.Iterator[Deployment]:
    """A deployment with no instance; nothing of it is left."""
    number = slots.slot()
    place = Layout(
        state=pathlib.Path(os.environ.get("TROVE_TEST_STATE", "/var/lib/trove/tests"))
        / "bench",
        cache=pathlib.Path(os.environ.get("TROVE_CACHE", "/var/lib/trove/cache")),
        tag=f"tsb{number}",
        cidr=f"10.84.{number}.0/24",
        ports=27700 + 100 * number,
    )
    made = Deployment(place)
    made.quickstart("--purge")  # of a run that was killed
    try:
        print(made.quickstart("--no-instances", within=1800), flush=True)
        yield made
    finally:
        made.quickstart("--purge")


def walk(deployment: Deployment, demo: User, datastore: str) -> Moments:
    """One instance: made, logged in to, looked at, and deleted."""
    users = [
        {"name": USER, "password": PASSWORD, "databases": [{"name": DATABASE}]},
    ]
    begun = time.time()
    id = demo.create(datastore, f"login-{datastore}", users, [DATABASE])
    moments = {"the POST is answered": time.time() - begun}
    shown = until("it has an address", lambda: _addressed(demo, id))
    moments[LOGIN] = _enter(demo, shown) - begun
    demo.wait(id)
    moments |= _steps(deployment, id, begun) | _journal(deployment, id, begun)
    demo.delete(id)
    demo.gone(id)
    return moments


def crowd(demo: User, datastore: str) -> Moments:
    """``CROWD`` of them at once: made, each logged in to, and deleted."""
    users = [
        {"name": USER, "password": PASSWORD, "databases": [{"name": DATABASE}]},
    ]
    begun = time.time()

    def one(number: int) -> tuple[str, float]:
        id = demo.create(datastore, f"crowd-{datastore}-{number}", users, [DATABASE])
        shown = until("it has an address", lambda: _addressed(demo, id))
        return id, _enter(demo, shown) - begun

    with concurrent.futures.ThreadPoolExecutor(CROWD) as pool:
        entered = sorted(pool.map(one, range(CROWD)), key=lambda pair: pair[1])
    for id, _ in entered:
        demo.wait(id)
    asked = time.time()
    for id, _ in entered:
        demo.delete(id)
    for id, _ in entered:
        demo.gone(id)
    return {
        f"{CROWD} at once: the first login": entered[0][1],
        f"{CROWD} at once: the last login": entered[-1][1],
        f"{CROWD} at once: all deleted, in": time.time() - asked,
    }


def _addressed(demo: User, id: str) -> dict[str, typing.Any] | None:
    shown = demo.show(id) or {}
    return shown if shown.get("ip") else None


def _enter(demo: User, shown: dict[str, typing.Any]) -> float:
    """Tries as an impatient client does; when it was in, in seconds of the epoch."""
    end = time.time() + WITHIN
    while time.time() < end:
        try:
            with (
                demo.connect(shown, USER, PASSWORD, DATABASE) as line,
                line.cursor() as cursor,
            ):
                cursor.execute("SELECT 1")
                return time.time()
        except (pymysql.MySQLError, psycopg.Error):
            time.sleep(LOOK)
    raise AssertionError(f"no login within {WITHIN:.0f} s")


def _steps(deployment: Deployment, id: str, begun: float) -> Moments:
    """When each of the operation's steps began, and when it was over."""
    of = "o.object_id = ? AND o.kind = 'instance.create'"
    steps = deployment.rows(
        "SELECT s.name, s.begun_at FROM operation_steps s JOIN operations o "
        f"ON s.operation_id = o.id WHERE {of}",
        id,
    )
    ((over,),) = deployment.rows(f"SELECT o.updated FROM operations o WHERE {of}", id)
    moments = {f"taskmanager: {name} begins": at - begun for name, at in steps}
    return moments | {ACTIVE: over - begun}


def _journal(deployment: Deployment, id: str, begun: float) -> Moments:
    """What the guest wrote down; its clock is the machine's."""
    text = deployment.inside(
        id, "journalctl", "-b", "-o", "short-unix", "--no-pager", "-q"
    )
    found: Moments = {}
    for line in text.splitlines():
        first, _, said = line.partition(" ")
        with contextlib.suppress(ValueError):
            at = float(first) - begun
            found.setdefault("guest: init's first word", at)
            if "trove-guestagent" in said or "python" in said:
                found.setdefault("guest: the agent's process", at)
            for words, meaning in SAID.items():
                if words in said:
                    found.setdefault(meaning, at)
    return found


def measure(
    runs: int,
    note: typing.Callable[[str, int, Moments], None],
    crowded: typing.Callable[[str, Moments], None],
) -> None:
    """All of it: each datastore in turn, ``runs`` times; then each by the crowd."""
    with stand() as deployment:
        demo = User(deployment, "demo")
        for datastore in VERSIONS:  # each token, each first import
            walk(deployment, demo, datastore)
        for run in range(runs):
            for datastore in VERSIONS:
                note(datastore, run, walk(deployment, demo, datastore))
        admin = User(deployment, "admin")
        quota = {"quotas": {"instances": 2 * CROWD, "volumes": 2 * CROWD}}
        project = demo.api.get_project_id()
        assert admin.ask("PUT", f"/mgmt/quotas/{project}", quota).status_code == 200
        for datastore in VERSIONS:
            crowded(datastore, crowd(demo, datastore))
        assert deployment.audit() == []


def table(walks: list[Moments]) -> list[list[str]]:
    """What happened in its order: since the POST, least and most, and since before."""
    names = {name for moments in walks for name in moments}
    middle = {
        name: statistics.median([m[name] for m in walks if name in m]) for name in names
    }
    found = [["what happened", "after, s", "least", "most", "took, s"]]
    before = 0.0
    for name in sorted(middle, key=lambda name: middle[name]):
        values = [m[name] for m in walks if name in m]
        row = [middle[name], min(values), max(values), middle[name] - before]
        found.append([name, *(f"{value:.2f}" for value in row)])
        before = middle[name]
    return found
