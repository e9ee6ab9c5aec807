# SPDX-License-Identifier: Apache-2.0
"""Data come back as they were at a moment: by a backup, and the log that came after it.

A tenant writes all the time, rows and tables and users; each deed is known by when it
was begun and when it was answered. At a moment t, all is there that was answered before
t, and nothing that was begun at t or later.
"""

import contextlib
import dataclasses
import os
import random
import threading
import time
import typing

import pytest

from tests.contract.datastore import shipping as ships
from tests.contract.datastore.conftest import Lab, laboratory
from tests.contract.datastore.shipping import Data, Moments, Shipping, restored_to
from tests.contract.datastore.test_backups import Link, said, save
from trove import errors
from trove.datastores import registry
from trove.datastores.archives import Short
from trove.datastores.classic import replay as classic
from trove.datastores.postgresql.agent import replay as postgresql
from trove.datastores.protocol import Account
from trove.model.states import Service
from trove.rpc.messages import SegmentShown
from trove.storage.frames import Broken

SECONDS = ("mariadb", "mysql")
"""Whose log says whole seconds."""
POINTS = int(os.environ.get("TROVE_TEST_POINTS", "50"))
"""Random moments that each engine is restored to."""
ROUNDS, DEEDS = 5, 150
"""So many rounds, each of which lasts as long as some deeds."""
PACE = 0.01
POINT = "before it's \u00fcber"
HOSTILE = [
    "-- /*!*/; CREATE DATABASE evil",
    "/* ' */ -- /*!*/; CREATE DATABASE evil",
    "--\x01/*!*/; CREATE DATABASE evil",
]
"""What may follow a statement and be none of it."""
DROPPED = 60
"""Tables that are there from the beginning, and go one by one."""

pytest_generate_tests = ships.parametrized


@dataclasses.dataclass
class Deed:
    """Something that a tenant did: by ``kind`` and number it is known what it made."""

    kind: str
    number: int
    begun: float
    answered: float = float("inf")


@dataclasses.dataclass
class Recorded:
    """All that is known of a database that was written to while its log was brought."""

    kind: tuple[str, str]
    deeds: list[Deed]
    link: Link
    data: Data
    segments: tuple[SegmentShown, ...]
    named: float
    """When a point was named in the log, where it has names."""
    more: Link | None = None
    """A later increment of the backup, where there are any."""

    def moment(self, dice: random.Random) -> float:
        at, until = float(self.link.mark.words["at"]), self.segments[-1].until
        if self.kind[0] in SECONDS:
            return float(dice.randint(int(at) + 1, int(until)))
        return dice.uniform(at, until)


@pytest.fixture(scope="module")
def recorded(kind: tuple[str, str]) -> typing.Iterator[Recorded]:
    with laboratory(*kind) as lab:
        lab.account("ada", "the word", "shop")
        with said(lab) as run:
            run("CREATE TABLE goods (n INT PRIMARY KEY, half INT)")
            for number in range(DROPPED):
                run(f"CREATE TABLE drop_{number} (a INT)")
        shipping, named, more = Shipping(lab), 0.0, None
        shipping.round()
        with written(lab) as deeds:
            until(deeds, DEEDS)
            link = save(lab, compared=False)
            with said(lab) as run:
                for number, words in enumerate(HOSTILE):
                    run(f"CREATE TABLE hostile_{number} (a INT) {words}")
            for number in range(ROUNDS):
                until(deeds, len(deeds) + DEEDS)
                if number == ROUNDS // 2 and lab.name not in SECONDS:
                    quoted = POINT.replace("'", "''")
                    with said(lab) as run:
                        run(f"SELECT pg_create_restore_point('{quoted}')")
                    named = time.time()
                if number == ROUNDS // 2 and registry.get(lab.name).chains(lab.version):
                    more = save(lab, link.mark, compared=False)
                assert shipping.round().broken is None
        lab.engine.restart()
        with said(lab) as run:
            run("CREATE TABLE after_all (a INT)")
        assert shipping.round().broken is None
        brought = tuple(shipping.brought)
        yield Recorded(kind, deeds, link, shipping.data, brought, named, more)


def until(deeds: list[Deed], number: int) -> None:
    end = time.monotonic() + 60
    while len(deeds) < number:
        assert time.monotonic() < end, "nothing is written any more"
        time.sleep(PACE)


@contextlib.contextmanager
def written(lab: Lab) -> typing.Iterator[list[Deed]]:
    """A tenant writes all the time."""
    ended, deeds = threading.Event(), []
    raised: list[Exception] = []

    def write() -> None:
        try:
            with said(lab) as run:
                for number in range(10**6):
                    if ended.wait(PACE):
                        return
                    deed = Deed(kind_of(number), number // 10, time.time())
                    deeds.append(deed)
                    do(lab, run, deed, number)
                    deed.answered = time.time()
        except (lab.refused, errors.TroveError) as error:
            raised.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield deeds
    finally:
        ended.set()
        writer.join()
    assert not raised, raised


def kind_of(number: int) -> str:
    kinds = {3: "table", 5: "column", 7: "drop", 8: "index", 9: "user"}
    kind = kinds.get(number % 10, "rows")
    return kind if kind != "drop" or number // 10 < DROPPED else "rows"


def do(lab: Lab, run: typing.Any, deed: Deed, number: int) -> None:
    match deed.kind:
        case "rows":
            deed.number = number
            run(lab.client.begin)
            run(f"INSERT INTO goods VALUES ({2 * number}, 1)")
            run(f"INSERT INTO goods VALUES ({2 * number + 1}, 2)")
            run(lab.client.commit)
        case "table":
            run(f"CREATE TABLE made_{deed.number} (a INT)")
        case "column":
            run(f"ALTER TABLE made_{deed.number} ADD COLUMN b INT")
        case "drop":
            run(f"DROP TABLE drop_{deed.number}")
        case "index":
            run(f"CREATE INDEX index_{deed.number} ON made_{deed.number} (a)")
        case "user":
            name = f"user{deed.number}"
            lab.engine.accounts.create_accounts([Account(name, "%", (), "pass word")])


class Found:
    """What is there in a restored one."""

    def __init__(self, lab: Lab) -> None:
        with said(lab) as run:
            self.rows = {n for (n,) in run("SELECT n FROM goods")}
            self.tables = {n for (n,) in run(self.asked("table_name", "tables"))}
            columns = run(
                self.asked("table_name", "columns") + " AND column_name = 'b'"
            )
            self.columns = {n for (n,) in columns}
            indexes = "SELECT indexname FROM pg_indexes"
            if lab.name in SECONDS:
                indexes = "SELECT index_name FROM information_schema.statistics"
            self.indexes = {n for (n,) in run(indexes)}
        self.users = {each.name for each in lab.engine.accounts.users(10**6)}

    @staticmethod
    def asked(what: str, where: str) -> str:
        schemas = "('public', 'shop')"
        return (
            f"SELECT {what} FROM information_schema.{where} "
            f"WHERE table_schema IN {schemas}"
        )

    def has(self, deed: Deed) -> bool:
        number = deed.number
        match deed.kind:
            case "rows":
                both = {2 * number, 2 * number + 1} & self.rows
                assert len(both) != 1, "half of a transaction"
                return bool(both)
            case "table":
                return f"made_{number}" in self.tables
            case "column":
                return f"made_{number}" in self.columns
            case "drop":
                return f"drop_{number}" not in self.tables
            case "index":
                return f"index_{number}" in self.indexes
        return f"user{number}" in self.users


@pytest.fixture(scope="module")
def moments(recorded: Recorded) -> typing.Iterator[Moments]:
    with ships.moments(recorded) as made:
        yield made


@pytest.mark.parametrize("number", range(POINTS))
def test_all_before_a_moment_is_there_and_nothing_after(
    recorded: Recorded, moments: Moments, number: int
) -> None:
    seed = f"{time.time()} {number}"
    moment = recorded.moment(random.Random(seed))
    with moments.at(moment) as lab:
        lab.engine.start()
        is_of(recorded, lab, moment)


def is_of(recorded: Recorded, lab: Lab, moment: float) -> None:
    """It has what was there at that moment, and serves."""
    found = Found(lab)
    before = [deed for deed in recorded.deeds if deed.answered < moment]
    after = [deed for deed in recorded.deeds if deed.begun >= moment]
    assert [d for d in before if not found.has(d)] == [], moment
    assert [d for d in after if found.has(d)] == [], moment
    assert before and lab.engine.health().state == Service.HEALTHY


def test_what_was_restored_to_a_moment_goes_on(recorded: Recorded) -> None:
    """A server of its own, on a new machine by all that a restore does."""
    moment = recorded.moment(random.Random(time.time()))
    with restored_to(recorded, moment) as lab:
        lab.engine.start()
        is_of(recorded, lab, moment)
        goes_on(lab)


def goes_on(lab: Lab) -> None:
    """A server of its own: it takes writes, starts again, and has an archive anew."""
    with said(lab) as run:
        run("CREATE TABLE later (a INT)")
    lab.engine.restart()
    shipping = Shipping(lab)
    shipping.round()
    with said(lab) as run:
        run("INSERT INTO later VALUES (1)")
    progress = shipping.round()
    assert progress.broken is None and len(shipping.brought) == 2


def test_the_last_moment_of_the_log_a_little_at_a_time(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classic, "FILES", 2)
    monkeypatch.setattr(postgresql, "AHEAD", 0)
    last = recorded.segments[-1].until
    last = float(int(last)) if recorded.kind[0] in SECONDS else last
    with restored_to(recorded, last) as lab:
        lab.engine.start()
        found = Found(lab)
        assert all(found.has(d) for d in recorded.deeds if d.answered < last)


@pytest.mark.engines("mariadb", "mysql", "postgresql-17")
def test_the_log_goes_on_after_an_increment(recorded: Recorded) -> None:
    assert recorded.more is not None
    last = recorded.segments[-1].until
    last = float(int(last)) if recorded.kind[0] in SECONDS else last
    later = dataclasses.replace(recorded, link=recorded.more)
    with restored_to(later, last, before=[recorded.link]) as lab:
        lab.engine.start()
        found = Found(lab)
        assert all(found.has(d) for d in recorded.deeds if d.answered < last)
        goes_on(lab)


def test_a_point_that_has_a_name(recorded: Recorded) -> None:
    if recorded.kind[0] in SECONDS:
        with pytest.raises(errors.NotSupported), restored_to(recorded, point="x"):
            pass
        return
    with restored_to(recorded, point=POINT) as lab:
        lab.engine.start()
        found, named = Found(lab), recorded.named
        # it was written a moment before it was known that it was
        before = [deed for deed in recorded.deeds if deed.answered < named - 0.5]
        assert before and all(found.has(deed) for deed in before)
        assert not any(found.has(d) for d in recorded.deeds if d.begun >= named)


@pytest.mark.engines("postgresql")  # the others' logs have no names
def test_a_point_that_nobody_named_is_no_restore(recorded: Recorded) -> None:
    with pytest.raises(Short), restored_to(recorded, point="nobody's"):
        pass


def test_what_a_tenant_wrote_is_said_by_no_administrator(recorded: Recorded) -> None:
    """There are comments that end for a server elsewhere than for its client."""
    last = float(int(recorded.segments[-1].until))
    with restored_to(recorded, last) as lab:
        lab.engine.start()
        assert not {name for name in lab.client.databases() if "evil" in name}
        with said(lab) as run:
            tables = {n for (n,) in run(Found.asked("table_name", "tables"))}
        assert {f"hostile_{n}" for n in range(len(HOSTILE))} <= tables


def test_a_log_that_ends_before_the_moment_is_no_restore(recorded: Recorded) -> None:
    late = recorded.segments[-1].until + 3600
    with pytest.raises(Short), restored_to(recorded, late):
        pass


def test_a_segment_that_is_missing_is_no_restore(recorded: Recorded) -> None:
    some = dataclasses.replace(
        recorded, segments=recorded.segments[:2] + recorded.segments[3:]
    )
    with pytest.raises(Broken), restored_to(some, recorded.segments[-1].until):
        pass


def test_a_bit_that_was_turned_is_no_restore(recorded: Recorded) -> None:
    data = dict(recorded.data)
    number = recorded.segments[-1].part
    wrong = bytearray(data[number])
    wrong[len(wrong) // 2] ^= 1
    data[number] = bytes(wrong)
    some = dataclasses.replace(recorded, data=data)
    with pytest.raises(Broken), restored_to(some, recorded.segments[-1].until):
        pass
