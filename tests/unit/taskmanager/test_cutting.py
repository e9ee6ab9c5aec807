# SPDX-License-Identifier: Apache-2.0
"""What is kept of archives: what a moment of the last days needs, and nothing else."""

import pathlib
import typing
from collections.abc import Iterator

import pytest

from tests.archivist import Archivist
from tests.unit.taskmanager.test_archives import House
from trove import errors
from trove.db.queries import archives, backups, instances, segments
from trove.flows import archiving
from trove.model.archives import DAY, ArchiveState
from trove.storage.backups import Names
from trove.taskmanager.cutting import Cutting, prefixes


@pytest.fixture
def house(tmp_path: pathlib.Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


@pytest.fixture
def guest(house: House) -> Archivist:
    """An instance with a log of eight days, four pieces a day, and a backup a day."""
    made = house.source(keep_days=3)
    house.looks()
    house.looks()
    for _ in range(8):
        for hour in range(4):
            house.clock += DAY / 4 - 10
            made.part += 1  # something that was begun, and never ended
            made.brings()
            house.hears(made)
            house.looks()
            if hour == 1:
                house.backed_up(made.place, house.clock)
    return made


def cut(house: House) -> None:
    Cutting(house.database, house.store).round()


def numbers(house: House) -> list[int]:
    with house.database.reading() as tx:
        return [each.number for each in segments.found(tx, house.row().id, 0)]


def kept(house: House) -> list[int]:
    """The numbers of the parts that are in the store."""
    return [int(name.rpartition("-")[2]) for name in house.store.names()]


def test_what_is_older_than_the_days_goes(house: House, guest: Archivist) -> None:
    before = house.row()
    assert len(numbers(house)) == len(kept(house)) == 32
    cut(house)
    row = house.row()
    with house.database.reading() as tx:
        first = segments.found(tx, row.id, 0)[0]
        bases = sorted(base.moment for base in archives.bases(tx, row.id))
    since = house.clock - 3 * DAY
    assert bases[0] <= since < bases[1], "each moment of three days is restored"
    assert row.first == first.first > typing.cast(int, before.first)
    left = numbers(house)
    assert left == list(range(32 - len(left), 32)) and 12 <= len(left) <= 17
    assert len(kept(house)) == len(left) and min(kept(house)) == first.part
    assert row.stored == len(left) * len(b"log")
    cut(house)
    assert numbers(house) == left and house.row().state == "OPEN"


def test_parts_in_a_row_are_few_words() -> None:
    names = Names("p", "a")
    for begin, end, count in ((0, 1, 1), (7, 13, 6), (8, 321, 16), (0, 9999, 36)):
        found = list(prefixes(names, begin, end))
        assert len(found) <= count
        for number in (begin - 1, begin, (begin + end) // 2, end - 1, end, end * 10):
            name = names.of(1, max(0, number))
            wanted = begin <= max(0, number) < end
            assert any(name.startswith(each) for each in found) == wanted, number


def test_what_was_written_down_and_not_deleted_goes_the_next_time(
    house: House, guest: Archivist
) -> None:
    house.store.away = True
    with pytest.raises(errors.Unavailable):
        cut(house)
    assert len(kept(house)) == 32 and len(numbers(house)) == 32
    house.store.away = False
    cut(house)
    assert len(kept(house)) == len(numbers(house)) < 20


def test_without_a_backup_all_of_an_open_one_is_kept(
    house: House, guest: Archivist
) -> None:
    with house.database.transaction() as tx:
        for base in archives.bases(tx, house.row().id):
            backups.changes(tx, base.id, deleted_at=house.clock)
    cut(house)
    assert len(kept(house)) == 32


def test_what_is_being_restored_is_not_touched(house: House, guest: Archivist) -> None:
    with house.database.reading() as tx:
        oldest = min(base.moment for base in archives.bases(tx, house.row().id))
    point = {"instance": house.instance, "time": _text(oldest + 60)}
    order = {"name": "again", "flavorRef": "1", "volume": {"size": 1}}
    body = {"instance": {**order, "restorePoint": point}}
    answer = house.ask("POST", "instances", body)
    assert answer.status_int == 200, answer.text
    cut(house)
    assert len(kept(house)) == 32
    house.finish(answer.json["instance"]["id"])
    cut(house)
    assert len(kept(house)) < 20
    assert house.ask("POST", "instances", body).status_int == 400


def _text(moment: float) -> str:
    from tests.api.test_moments import at

    return at(moment)


def test_what_is_over_goes_with_the_days(house: House, guest: Archivist) -> None:
    with house.database.transaction() as tx:
        archiving.close(tx, house.row(), "why", gap=True)
        instances.changes(tx, house.instance, deleted_at=house.clock)
    house.clock += 2.9 * DAY
    cut(house)
    assert house.row().state == "CLOSED" and kept(house) != []
    house.clock += 0.2 * DAY
    cut(house)
    assert house.row().state == ArchiveState.DELETING
    house.looks()
    assert house.rows() == [] and kept(house) == []


def test_what_is_over_goes_with_its_last_backup(house: House, guest: Archivist) -> None:
    row = house.row()
    with house.database.transaction() as tx:
        archiving.close(tx, row, "why", gap=False)
        for base in archives.bases(tx, row.id):
            backups.changes(tx, base.id, deleted_at=house.clock)
    cut(house)
    house.looks()
    assert row.id not in [each.id for each in house.rows()]
    assert kept(house) == []
