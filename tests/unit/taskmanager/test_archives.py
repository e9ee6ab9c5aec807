# SPDX-License-Identifier: Apache-2.0
"""Archives: only what the store has is counted, a hole ends one, and another begins."""

import concurrent.futures
import dataclasses
import pathlib
import types
import typing
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.api.world import World
from tests.archivist import Archivist, Line
from trove import errors
from trove.conductor.archives import checked, news
from trove.db.queries import archives, backups, instances, schedules, segments
from trove.db.tables import Archive, Event, Guest
from trove.flows import archiving
from trove.model.archives import AGAIN, ArchiveState
from trove.model.states import Task
from trove.rpc import sealing
from trove.rpc.messages import ArchiveReport
from trove.storage.backups import BackupStorage
from trove.storage.keys import Keyring
from trove.storage.vault import carry
from trove.storage.vault.protocol import Before, Vault
from trove.taskmanager import archives as taskmanager
from trove.taskmanager import ordering
from trove.taskmanager.archives import HELD, LOOK, MISSED, Archives

KEYS = sealing.keypair()
T = typing.TypeVar("T")


class Store(BackupStorage):
    """A directory that may be away."""

    def __init__(self, path: pathlib.Path) -> None:
        ring = Keyring({"1": b"k" * 32})
        super().__init__("directory", ring, lambda name: {"path": str(path)})
        self.path, self.away = path, False

    def vault(
        self,
        driver: str,
        container: str,
        backup: str,
        before: Before = lambda: None,
    ) -> Vault:
        if self.away:
            raise errors.Unavailable(what="The object store")
        return super().vault(driver, container, backup, before)

    def names(self) -> list[str]:
        files = (one for one in self.path.rglob("*") if one.is_file())
        return sorted(str(one.relative_to(self.path)) for one in files)


class House(World):
    """The API's world, a store, guests that archive, and who looks after them."""

    def __init__(self, place: pathlib.Path) -> None:
        super().__init__(place, quotas={})
        (place / "store").mkdir()
        self.store = Store(place / "store")
        self.archivists: dict[str, Archivist] = {}
        self.silent = False

    @property
    def keeper(self) -> Archives:
        settings = types.SimpleNamespace(store_authorities="a CA")
        around = types.SimpleNamespace(
            database=self.database, guests=self._guest, settings=settings
        )
        return Archives(typing.cast(typing.Any, around), self.store, "c", 25)

    def _guest(self, instance: str, context: object) -> Line:
        if self.silent:
            raise errors.Unavailable(what="The broker")
        return Line(self.archivists[instance])

    def source(self, **said: typing.Any) -> Archivist:
        """The guest of an instance whose log is wanted."""
        id = self.active()
        path = f"instances/{id}/backup_policy"
        body = {"backup_policy": {"window": "02:00", "keep_days": 7, **said}}
        assert self.ask("PUT", path, body).status_int == 200
        with self.database.transaction() as tx:
            tx.merge(Guest(instance_id=id, public_key=KEYS[1]))
        self.archivists[id] = Archivist(KEYS[0], lambda: self.clock)
        return self.archivists[id]

    @property
    def instance(self) -> str:
        (id,) = self.archivists
        return id

    def looks(self, seconds: float = 10.0) -> None:
        self.clock += seconds
        self.keeper.round()

    def hears(self, guest: Archivist, **other: typing.Any) -> None:
        """What the conductor does with what it says."""
        (id,) = (id for id, each in self.archivists.items() if each is guest)
        self.says(id, guest.report(**other))

    def says(self, id: str, report: ArchiveReport) -> None:
        said, of_use = checked(report), news(report)
        with self.database.transaction() as tx:
            archives.heard(tx, id, report.archive, said, of_use)

    def minutes(self, guest: Archivist, count: int) -> None:
        """Rounds of a guest that is heard of, and looked after."""
        for _ in range(count):
            self.clock += 30
            guest.brings()
            self.hears(guest)
            self.looks()

    def rows(self) -> list[Archive]:
        """The oldest first."""
        with self.database.reading() as tx:
            rows = tx.scalars(sa.select(Archive))
            return sorted(rows, key=lambda row: (row.created, row.open_of is not None))

    def row(self) -> Archive:
        return self.rows()[-1]

    def events(self) -> list[str]:
        with self.database.reading() as tx:
            found = sa.select(Event.kind).where(Event.kind.like("%archive%"))
            return list(tx.scalars(found.order_by(Event.object_id, Event.seq)))

    def backed_up(self, place: int, moment: float, **columns: typing.Any) -> str:
        """A backup whose log goes on at that place."""
        self.finish(self.instance)
        made = self.backup(self.instance)
        with self.database.transaction() as tx:
            about = {"place": place, "moment": moment, **columns}
            backups.changes(tx, made, **about)
        return made


@pytest.fixture
def house(tmp_path: pathlib.Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


@pytest.fixture
def guest(house: House) -> Archivist:
    """One that has its order."""
    made = house.source()
    house.looks()
    house.looks()
    assert len(made.orders) == 1
    return made


# -- begun ----------------------------------------------------------------------------


def test_an_instance_whose_policy_wants_it_is_archived(house: House) -> None:
    guest = house.source()
    house.looks()
    row = house.row()
    assert (row.state, row.instance_id) == ("OPEN", house.instance)
    house.looks()
    (order,) = guest.orders
    assert (order.archive, order.every, order.counted) == (row.id, 25, 0)
    assert len(bytes.fromhex(guest.key)) == 32 and guest.key not in repr(order)
    (grant,) = sealing.unseal(KEYS[0], order.sealed)["grants"]
    assert grant["authorities"] == "a CA"
    assert sorted(guest.requests) == list(range(ordering.TOGETHER))
    assert guest.requests[0].url.endswith(f"/{row.project}/{row.id}/1/part-0000000")
    for _ in range(9):
        house.looks(0)
    assert len(guest.orders) == 1 and len(house.rows()) == 1
    assert house.events() == ["instance.archive_begun"]


@pytest.mark.parametrize("said", [{"enabled": False}, {"point_in_time": False}])
def test_none_is_begun_that_nobody_wants(
    house: House, said: dict[str, typing.Any]
) -> None:
    house.source(**said)
    house.looks()
    assert house.rows() == []


def test_two_that_look_at_once_begin_one(house: House) -> None:
    guests = [house.source() for _ in range(4)]
    for _ in range(2):
        house.clock += 10
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(house.keeper.round) for _ in range(4)]:
                done.result(60)
    assert len(house.rows()) == 4
    assert [len(each.orders) for each in guests] == [1] * 4


# -- counted --------------------------------------------------------------------------


def test_what_the_store_has_is_counted(house: House, guest: Archivist) -> None:
    house.clock += 30
    guest.brings(b"one", b"another", places=3)
    guest.brings(b"more")
    house.hears(guest)
    house.looks()
    row = house.row()
    assert (row.segments, row.part, row.first, row.last) == (2, 3, 100, 103)
    assert row.latest == guest.until and row.stored == len(b"oneanothermore")
    assert guest.orders[-1].counted == 2 and guest.pending == []
    with house.database.reading() as tx:
        first, second = segments.found(tx, row.id, 0)
    assert (first.part, first.count, second.part, second.count) == (0, 2, 2, 1)
    assert [part[0] for part in first.parts] == [3, 7]


def test_what_can_be_restored_is_never_a_minute_old(
    house: House, guest: Archivist
) -> None:
    """INV-14, of a guest that is well: a round each 30 s, a look each 10 s."""
    lags = []
    for second in range(600):
        house.clock += 1
        if second % 30 == 0:
            guest.brings()
        if second % 30 == 5:  # it takes that long to be brought
            house.hears(guest)
        if second % 10 == 7:
            house.keeper.round()
        if second > 60:
            lags.append(house.clock - typing.cast(float, house.row().latest))
    assert max(lags) <= 60


def test_with_the_first_piece_a_full_backup_is_due(
    house: House, guest: Archivist
) -> None:
    with house.database.reading() as tx:
        policy = schedules.get(tx, house.instance)
        assert policy is not None and policy.next_due > house.clock + 3600
    house.minutes(guest, 1)
    with house.database.reading() as tx:
        policy = schedules.get(tx, house.instance)
        assert policy is not None and policy.next_due <= house.clock
        assert schedules.made(tx, house.instance).based is False
    house.backed_up(100, house.clock)
    with house.database.reading() as tx:
        assert schedules.made(tx, house.instance).based is True


def test_what_comes_twice_or_late_is_counted_once(
    house: House, guest: Archivist
) -> None:
    house.clock += 30
    guest.brings()
    late = guest.report()
    for _ in range(2):
        house.hears(guest)
        house.looks()
    house.minutes(guest, 2)
    house.says(house.instance, late)
    house.looks()
    assert house.row().segments == 3 and house.row().state == "OPEN"


def test_of_two_who_count_at_once_one_does(house: House, guest: Archivist) -> None:
    house.clock += 30
    guest.brings()
    house.hears(guest)
    with house.database.reading() as tx:
        stale = archives.get(tx, house.row().id)
    house.looks()
    assert stale is not None
    house.keeper._carry(stale)  # who was away between the claim and the deed
    assert house.row().segments == 1 and house.row().state == "OPEN"


def test_a_liar_is_never_believed(house: House, guest: Archivist) -> None:
    house.minutes(guest, 1)
    latest = house.row().latest
    guest.lies = True
    house.clock += 30
    guest.brings()
    for _ in range(20):
        house.hears(guest)
        house.looks()
    assert house.row().latest == latest and house.row().missed_at is not None
    house.looks(MISSED)
    closed = house.rows()[0]
    assert closed.state == "CLOSED" and closed.gap
    assert "store does not have" in str(closed.reason)
    assert (closed.segments, closed.latest) == (1, latest)


def test_a_store_that_was_away_is_given_its_time(
    house: House, guest: Archivist
) -> None:
    house.clock += 30
    guest.lies, late = True, guest.requests[0]
    guest.brings()
    house.hears(guest)
    house.looks()
    assert house.row().missed_at is not None
    house.store.away = True
    for _ in range(5):
        with pytest.raises(errors.Unavailable):
            house.looks(MISSED)
    house.store.away = False
    house.looks(HELD)
    assert house.row().state == "OPEN"
    carry.put(late, b"log", 9, files=True)
    house.looks(LOOK)
    assert house.row().segments == 1


def test_what_came_late_in_the_store_is_counted_then(
    house: House, guest: Archivist
) -> None:
    """A list of the store may lag."""
    house.clock += 30
    guest.brings()
    (name,) = house.store.names()
    file = house.store.path / name
    data = file.read_bytes()
    file.unlink()
    house.hears(guest)
    house.looks()
    assert house.row().segments == 0
    file.write_bytes(data)
    house.looks()
    assert house.row().segments == 1 and house.row().missed_at is None


def test_another_part_in_the_store_ends_it(house: House, guest: Archivist) -> None:
    house.clock += 30
    guest.brings()
    (name,) = house.store.names()
    (house.store.path / name).write_bytes(b"gol")
    house.hears(guest)
    house.looks()
    assert "another one in the store" in str(house.rows()[0].reason)
    assert house.events()[:2] == ["instance.archive_begun", "instance.archive_gap"]


WRONG: dict[str, dict[str, typing.Any]] = {
    "number": {"number": 2},
    "a hole": {"first": 102, "last": 102},
    "back": {"first": 100, "last": 100},
    "no place": {"first": 101, "last": 100},
    "an old part": {"part": 0},
    "older": {"since": 1.0},
    "backwards": {"since": 4e9},
    "the future": {"until": 4e9},
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_what_does_not_follow_ends_it(
    house: House, guest: Archivist, change: dict[str, typing.Any]
) -> None:
    house.minutes(guest, 1)
    house.clock += 30
    one = guest.brings()
    assert one is not None
    house.hears(guest, segments=(dataclasses.replace(one, **change),))
    house.looks()
    closed = house.rows()[0]
    assert (closed.state, closed.segments, closed.gap) == ("CLOSED", 1, True)
    assert closed.reason and "Segment" in closed.reason


# -- a store, a broker, a guest that are away -----------------------------------------


def test_a_store_that_is_away_for_ten_minutes_loses_nothing(
    house: House, guest: Archivist
) -> None:
    house.minutes(guest, 1)
    latest = house.row().latest
    house.store.away = True
    for _ in range(20):
        house.hears(guest, waiting=2**20)
        with pytest.raises(errors.Unavailable):
            house.looks(30)
            house.looks(30)
    assert house.row().latest == latest
    assert house.row().report and house.row().report["waiting"] == 2**20
    house.store.away = False
    house.looks(30)
    house.minutes(guest, 1)
    assert house.row().segments == 2 and house.row().latest == guest.until
    assert len(house.rows()) == 1


def test_who_dies_before_the_guest_hears_tells_it_later(
    house: House, guest: Archivist
) -> None:
    house.clock += 30
    guest.brings()
    house.hears(guest)
    house.silent = True
    with pytest.raises(errors.Unavailable):
        house.looks()
    assert house.row().segments == 1 and guest.orders[-1].counted == 0
    house.silent = False
    house.clock += 30
    house.hears(guest)
    house.looks()
    assert guest.orders[-1].counted == 1
    told = len(guest.orders)
    house.hears(guest)
    house.looks(1)
    assert len(guest.orders) == told, "it has nothing more to say"


def test_requests_are_renewed_before_they_end(house: House, guest: Archivist) -> None:
    """Of a guest that has nothing to bring, and says so."""
    granted, told = guest.requests, len(guest.orders)
    for _ in range(39):
        house.clock += 30
        house.hears(guest)
        house.looks(0)
    assert len(guest.orders) == told and guest.requests is granted
    for _ in range(3):
        house.clock += 30
        house.hears(guest)
        house.looks(60)
    assert len(guest.orders) == told + 1 and sorted(guest.requests) == sorted(granted)
    ends = typing.cast(float, house.row().granted_until)
    assert ends - house.clock > ordering.RENEWED


def test_each_order_grants_what_comes_next(house: House, guest: Archivist) -> None:
    for part in range(1, 100):
        house.minutes(guest, 1)
        assert sorted(guest.requests) == list(range(part, part + ordering.TOGETHER))
    assert house.row().segments == 99


def test_who_wants_more_is_granted_more(house: House, guest: Archivist) -> None:
    house.clock += 30
    guest.part = 10  # what it began, and never ended
    while guest.brings(*[b"log"] * 3) is not None:
        pass
    assert guest.want == ordering.TOGETHER
    house.hears(guest)
    house.looks()
    assert guest.want is None
    assert min(guest.requests) == ordering.TOGETHER - ordering.BEFORE
    told = len(guest.orders)
    house.minutes(guest, 1)
    assert len(guest.orders) == told + 1 and guest.part in guest.requests


def test_who_did_not_hear_what_it_wanted_is_told_again(
    house: House, guest: Archivist
) -> None:
    guest.want = ordering.TOGETHER
    for seconds, told in ((1, 2), (1, 2), (ordering.HEARD, 3), (1, 3)):
        house.clock += seconds
        guest.want = ordering.TOGETHER  # the order is lost on its way
        house.hears(guest)
        house.looks(0)
        assert len(guest.orders) == told


def test_an_agent_that_never_speaks_is_told_less_and_less_often(house: House) -> None:
    guest = house.source()
    house.looks()
    for _ in range(6 * 60):
        house.looks(60)
    assert 8 < len(guest.orders) < 16
    assert house.row().state == "OPEN"


def test_an_agent_that_has_lost_its_order_has_it_again(
    house: House, guest: Archivist
) -> None:
    house.minutes(guest, 3)
    told, part = len(guest.orders), guest.part
    house.looks(LOOK)
    house.looks(LOOK)
    assert len(guest.orders) > told
    order = guest.orders[-1]
    assert (order.archive, order.counted) == (house.row().id, 3)
    assert min(guest.requests) == part


# -- ended ----------------------------------------------------------------------------


def test_what_a_guest_gives_up_ends_with_its_reason(
    house: House, guest: Archivist
) -> None:
    house.minutes(guest, 2)
    guest.broken = "the volume is full"
    house.hears(guest)
    house.looks()
    first = house.rows()[0]
    assert "the volume is full" in str(first.reason) and first.latest is not None
    house.looks()
    second = house.row()
    assert (second.state, second.segments) == ("OPEN", 0)
    house.looks()
    assert guest.ended == [first.id] and guest.archive == second.id
    assert house.rows()[0].due is None
    kinds = ["begun", "gap", "begun"]
    assert house.events() == [f"instance.archive_{kind}" for kind in kinds]
    house.minutes(guest, 1)
    assert house.row().segments == 1


def test_what_was_brought_before_it_was_given_up_is_counted(
    house: House, guest: Archivist
) -> None:
    """Nobody looked for a while; what is in the store restores all the same."""
    house.minutes(guest, 1)
    for _ in range(3):
        house.clock += 30
        guest.brings()
    until, guest.broken = guest.until, "the volume is full"
    guest.lies = True
    guest.brings()
    house.store.away = True
    house.hears(guest)
    with pytest.raises(errors.Unavailable):
        house.looks()
    house.store.away = False
    house.looks(HELD)
    row = house.rows()[0]
    assert (row.state, row.gap) == ("CLOSED", True)
    assert (row.segments, row.latest) == (4, until)


def test_of_what_was_given_up_nothing_is_counted_that_does_not_follow(
    house: House, guest: Archivist
) -> None:
    house.minutes(guest, 2)
    guest.number += 1
    guest.brings()
    guest.broken = "the volume is full"
    house.hears(guest)
    house.looks()
    row = house.rows()[0]
    assert (row.state, row.segments) == ("CLOSED", 2)
    assert "the volume is full" in str(row.reason)


def test_what_breaks_again_and_again_is_begun_less_and_less(
    house: House, guest: Archivist
) -> None:
    for _ in range(60):
        house.looks(60)
        if guest.archive is not None:
            guest.broken = "the volume is full"
            house.hears(guest)
            guest.archive = None
    assert len(house.rows()) in (4, 5)
    assert AGAIN == 600


@pytest.mark.parametrize("said", [{"enabled": False}, {"point_in_time": False}])
def test_what_nobody_wants_any_more_ends(
    house: House, guest: Archivist, said: dict[str, typing.Any]
) -> None:
    house.minutes(guest, 1)
    path = f"instances/{house.instance}/backup_policy"
    assert house.ask("PUT", path, {"backup_policy": said}).status_int == 200
    house.looks(LOOK)
    house.looks()
    (row,) = house.rows()
    assert (row.state, row.gap) == ("CLOSED", False)
    assert guest.ended == [row.id]
    assert house.events()[-1] == "instance.archive_ended"
    house.clock += 30
    house.says(house.instance, ArchiveReport(row.id))
    house.looks()
    assert guest.ended == [row.id] * 2, "it had not heard it"


def test_of_an_instance_that_is_gone_nothing_more_comes(
    house: House, guest: Archivist
) -> None:
    house.minutes(guest, 1)
    with house.database.transaction() as tx:
        instances.changes(tx, house.instance, deleted_at=house.clock)
    house.looks(LOOK)
    house.looks()
    (row,) = house.rows()
    assert (row.state, row.gap, guest.ended) == ("CLOSED", False, [])
    assert row.due is None


def test_a_server_that_was_built_anew_begins_another(
    house: House, guest: Archivist
) -> None:
    house.minutes(guest, 1)
    with house.database.transaction() as tx:
        archiving.rebuilt(tx, house.instance)
        archiving.rebuilt(tx, house.instance)
    house.change(house.instance, task=Task.UPGRADING)
    house.looks()
    assert [row.state for row in house.rows()] == ["CLOSED"]
    house.change(house.instance, task=Task.NONE)
    house.looks()
    assert [row.state for row in house.rows()] == ["CLOSED", "OPEN"]


def test_an_instance_of_another_version_begins_another(
    house: House, guest: Archivist
) -> None:
    house.minutes(guest, 1)
    house.change(house.instance, version_id=house.versions["mariadb-10.6"])
    house.looks(LOOK)
    assert "another version" in str(house.rows()[0].reason)
    house.looks()
    assert house.row().version_id == house.versions["mariadb-10.6"]


def test_what_is_to_go_goes_and_is_forgotten(house: House, guest: Archivist) -> None:
    house.minutes(guest, 2)
    assert len(house.store.names()) == 2
    row = house.row()
    with house.database.transaction() as tx:
        archiving.close(tx, row, "why", gap=False)
        archives.changes(tx, row.id, state=ArchiveState.DELETING, due=house.clock)
    house.store.away = True
    with pytest.raises(errors.Unavailable):
        house.looks(0)
    assert len(house.rows()) == 1
    house.store.away = False
    house.looks(taskmanager.HELD)
    assert house.store.names() == []
    with house.database.reading() as tx:
        assert archives.get(tx, row.id) is None
        assert segments.found(tx, row.id, 0) == []
