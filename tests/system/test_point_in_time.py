# SPDX-License-Identifier: Apache-2.0
"""A moment of a running instance comes back: by its policy, its guest, a real store.

What was committed before it is there and what came after is not, DDL too (T25); the
times that are shown are true (INV-14), and a gap is one (docs of users: backups).
Meanwhile who brings the log is killed again and again, and its store is away: ten
minutes with ``--long``, else less than one (T23).
"""

import datetime
import threading
import time
import typing

import pytest

from tests.system.deployment import VERSIONS, Deployment, User, ask, until
from tests.system.faults.conftest import LONG
from tests.system.test_backups import FOREVER, Source, running
from tests.system.test_kills import cut

pytestmark = [pytest.mark.root, pytest.mark.localcloud, pytest.mark.pitr]

LOST = {
    "mariadb": ("mariadb", "--no-defaults", "--user=root", "--execute=RESET MASTER"),
    "postgresql": (
        *("psql", "--no-psqlrc", "--username=postgres", "--dbname=postgres"),
        "--command=SELECT pg_drop_replication_slot('trove_archive')",
    ),
}
"""What an administrator does, and a piece of the log is gone."""
LATER = 90.0
"""Seconds within which a time can be restored, by rounds of ten seconds and a store
that was away: what hung is sent again a while after."""
AWAY = 600.0 if LONG else 40.0
"""Seconds without a store."""
ROUND = "trove.guestagent.rounds"


def seconds(text: str) -> float:
    """Of a date as the API shows it."""
    at = datetime.datetime.fromisoformat(text)
    return at.replace(tzinfo=datetime.UTC).timestamp()


def text(moment: float) -> str:
    """A date as a request says it."""
    at = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return at.isoformat().replace("+00:00", "Z")


class Writer(threading.Thread):
    """Rows and tables, one after another, each with when it was asked for and when it
    was answered; by the clock of the machine, which is that of its guests."""

    def __init__(self, source: Source) -> None:
        super().__init__(daemon=True)
        self._source, self._ended = source, threading.Event()
        self.rows: list[tuple[int, float, float]] = []
        self.tables: list[tuple[int, float, float]] = []

    def run(self) -> None:
        number = 0
        with self._source.connected(self._source.id) as line:
            while not self._ended.wait(0.1):
                number += 1
                begun = time.time()
                ask(line, "INSERT INTO goods VALUES (%s, 'it')", number)
                self.rows.append((number, begun, time.time()))
                if number % 20 == 0:
                    begun = time.time()
                    ask(line, f"CREATE TABLE t{number} (id INTEGER PRIMARY KEY)")
                    self.tables.append((number, begun, time.time()))

    def end(self) -> None:
        self._ended.set()
        self.join(60)


class Timed(Source):
    """An instance whose log is brought."""

    def ranges(self) -> list[tuple[float, float]]:
        shown = self.demo.show(self.id) or {}
        found = shown.get("restorable_times", [])
        return [(seconds(each["from"]), seconds(each["until"])) for each in found]

    def archives(self) -> list[dict[str, typing.Any]]:
        answer = self.demo.ask("GET", f"/instances/{self.id}/archives")
        assert answer.status_code == 200, answer.text
        return typing.cast(list[dict[str, typing.Any]], answer.json()["archives"])

    def restorable(self, count: int, moment: float = 0.0) -> None:
        """There are so many ranges, and a moment is behind the last one's beginning and
        before its end."""

        def is_so() -> bool:
            found = self.ranges()
            return len(found) == count and found[-1][1] >= moment

        until(f"{text(moment)} can be restored", is_so, FOREVER, every=1)

    def of(self, moment: float) -> typing.Any:
        point = {"instance": self.id, "time": text(moment)}
        order = {"name": "again", "flavorRef": 1, "volume": {"size": 1}}
        body = {"instance": {**order, "restorePoint": point}}
        return self.demo.ask("POST", "/instances", body)


def holds(source: Source, id: str, writer: Writer, moment: float) -> None:
    """Rows and tables of before are there, and those that were begun after are not."""
    source.demo.wait(id)
    with source.connected(id) as line:
        rows = {number for (number,) in ask(line, "SELECT id FROM goods")}
        names = ask(
            line,
            "SELECT table_name FROM information_schema.tables WHERE table_name LIKE %s",
            "t%0",
        )
        tables = {int(name[1:]) for (name,) in names if name[1:].isdigit()}
        ask(line, "INSERT INTO goods VALUES (%s, %s)", -1, "it goes on")
    for found, made in ((rows, writer.rows), (tables, writer.tables)):
        known = {number for number, _, _ in made}
        before = {number for number, _, answered in made if answered < moment}
        after = {number for number, begun, _ in made if begun >= moment}
        assert before and after, "the moment is in the middle"
        assert before <= found & known, "of before the moment"
        assert not found & after, "of after the moment"


@pytest.mark.timeout(600 + 2 * AWAY)
@pytest.mark.parametrize("datastore", sorted(VERSIONS))
def test_a_moment_comes_back_and_a_gap_is_none(
    deployment: Deployment, demo: User, datastore: str
) -> None:
    source = Timed(deployment, demo, datastore, VERSIONS[datastore])
    said = {"window": "00:00", "increment_every_hours": None, "keep_days": 1}
    path = f"/instances/{source.id}/backup_policy"
    answer = demo.ask("PUT", path, {"backup_policy": said})
    assert answer.json()["backup_policy"]["point_in_time"] is True, answer.text
    writer = Writer(source)
    writer.start()
    source.restorable(1)  # the full backup is made by itself
    ((earliest, _),) = source.ranges()
    moments = [between_deaths(deployment, source, earliest)]
    moments.append(without_a_store(deployment, source, writer))
    asked = time.time()
    source.restorable(1, moments[-1])
    assert time.time() - asked < LATER
    (archive,) = source.archives()
    assert archive["status"] == "OPEN" and archive["lag"] < LATER
    assert archive["heard"] and archive["message"] is None
    for moment, why in (
        (earliest - 3600, "before the first"),
        (time.time() + 3600, "in the future"),
    ):
        answer = source.of(moment)
        assert answer.status_code == 400 and why in answer.text
    until("more is written", lambda: writer.rows[-1][1] > moments[-1] + 2, FOREVER)
    answers = [source.of(moment) for moment in moments]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    copies = [str(answer.json()["instance"]["id"]) for answer in answers]
    for id, moment in zip(copies, moments, strict=True):
        holds(source, id, writer, moment)
    source.gone(*copies)
    writer.end()
    gap(deployment, source)
    source.gone(source.id)


def now_past(moment: float) -> float:
    """A whole second that is over, behind that moment; 0 as long as there is none."""
    now = time.time() - 1
    return float(int(now)) if now > moment else 0.0


def between_deaths(deployment: Deployment, source: Timed, earliest: float) -> float:
    """A moment, before and after which the agent is killed, and the next one's round as
    soon as it begins, or in the middle."""
    (before,) = source.archives()
    killed(deployment, source, 0.0)
    killed(deployment, source, 0.2)
    moment = until("it is later", lambda: now_past(earliest + 5), FOREVER)
    killed(deployment, source, 0.5)
    (after,) = source.archives()
    assert (after["id"], after["status"]) == (before["id"], "OPEN")
    return float(moment)


def killed(deployment: Deployment, source: Timed, pause: float) -> None:
    words = ("systemctl", "show", "-P", "MainPID", "trove-guestagent")
    agent = deployment.inside(source.id, *words).strip()
    deployment.inside(source.id, "kill", "-KILL", agent)

    def goes_on() -> list[str]:
        return running(deployment, source.id, ROUND)

    (first,) = until("a round goes on", goes_on, FOREVER, every=0.02)
    time.sleep(pause)
    words = ("pkill", "-KILL", "--full", "--", ROUND)
    try:
        deployment.inside(source.id, *words)
    except AssertionError:
        assert pause, "it had just begun"  # and has ended by now
    until("it is gone", lambda: first not in goes_on(), FOREVER)


def without_a_store(deployment: Deployment, source: Timed, writer: Writer) -> float:
    """A moment of which there is nothing in the store, which refuses first and then
    hangs; that it lags behind is seen, and the database knows nothing of it."""
    (before,), begun = source.archives(), time.time()
    port = f"tcp dport {deployment.place.object_port}"
    with cut(deployment.place, port, how="reject with tcp reset"):
        passed(begun + AWAY / 2)
    with cut(deployment.place, port):
        moment = passed(begun + AWAY * 3 / 4)
        passed(begun + AWAY)
        (now,), looked = source.archives(), time.time()
        assert now["lag"] >= looked - begun - 2, (now, before)
        assert now["lag"] > before["lag"]
        assert seconds(now["latest_restorable_time"]) <= begun + 1
        assert (now["id"], now["status"]) == (before["id"], "OPEN")
        assert writer.rows[-1][2] > looked - 5, "nobody waits for a store"
        source.demo.wait(source.id)
    return moment


def passed(moment: float) -> float:
    """It is over; a whole second."""
    return float(until("time goes by", lambda: now_past(moment), AWAY + FOREVER))


def gap(deployment: Deployment, source: Timed) -> None:
    """A piece is lost: the clock stops, a full backup is made, and it goes on."""
    deployment.inside(source.id, *LOST[source.datastore])
    until("it is over", lambda: len(source.archives()) == 2, FOREVER, every=1)
    after, before = source.archives()
    assert (before["status"], before["gap"]) == ("CLOSED", True)
    assert before["message"] and after["status"] == "OPEN"
    source.restorable(2)
    first, second = source.ranges()
    assert seconds(before["latest_restorable_time"]) == first[1] < second[0]
    answer = source.of((first[1] + second[0]) // 2)
    assert answer.status_code == 400 and "gap" in answer.text
    path = f"/instances/{source.id}/events?limit=100"
    events = source.demo.ask("GET", path).json()["events"]
    assert "instance.archive_gap" in [each["type"] for each in events]
