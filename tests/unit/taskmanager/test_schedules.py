# SPDX-License-Identifier: Apache-2.0
"""Scheduled backups: each turn is taken once, whoever looks and whoever dies."""

import concurrent.futures
import datetime
import pathlib
import typing
from collections.abc import Iterator

import pytest
from sqlalchemy import orm

from tests.api.world import DEMO, World
from trove import errors
from trove.actions import recount, turns
from trove.db.queries import backups, instances, quotas, recycled
from trove.db.queries import schedules as queries
from trove.db.tables import Backup, BackupPolicy
from trove.model import operations
from trove.model.backups import SNAPSHOT, BackupState
from trove.model.schedules import AFTER_FAULT, AGAIN, DAY, HOUR
from trove.model.states import Task
from trove.taskmanager.schedules import Schedules

Plain = dict[str, typing.Any]


class House(World):
    """The API's world, and a taskmanager that looks after schedules."""

    @property
    def keeper(self) -> Schedules:
        return Schedules(self.services)

    def looks(self, moment: float) -> list[Backup]:
        """What a round at this moment begins; the guests are there and well."""
        before = {row.id for row in self.backups()}
        self.clock = moment
        self.hears()
        self.keeper.round()
        return [row for row in self.backups() if row.id not in before]

    def hears(self) -> None:
        with self.database.reading() as tx:
            rows = [instances.get(tx, row.instance_id) for row in queries.page(tx, 99)]
        for row in rows:
            if row is not None and row.task == Task.NONE and row.deleted_at is None:
                self.finish(row.id)

    def backups(self) -> list[Backup]:
        with self.database.reading() as tx:
            found = backups.page(tx, backups.Wanted(), 999)
        return sorted((each.row for each in found), key=lambda row: row.created)

    def says(self, id: str) -> BackupPolicy:
        with self.database.reading() as tx:
            return typing.cast(BackupPolicy, queries.get(tx, id))

    def put(self, id: str, **said: typing.Any) -> None:
        path = f"instances/{id}/backup_policy"
        answer = self.ask("PUT", path, {"backup_policy": said})
        assert answer.status_int == 200, answer.text

    def carried(self, moment: float) -> list[Backup]:
        """The same, and all that is begun becomes whole."""
        begun = self.looks(moment)
        for row in begun:
            self.back_up(row.id)
        return begun


def moment(day: int, hour: float) -> float:
    """Of a day of the world, which begins at eight in the morning of the first."""
    midnight = 1_800_000_000.0 // DAY * DAY
    return midnight + day * DAY + hour * HOUR


@pytest.fixture
def house(tmp_path: pathlib.Path) -> Iterator[House]:
    made = House(tmp_path, quotas={})
    yield made
    made.close()


def agrees(tx: orm.Session) -> bool:
    """Whether the counter of backups says what there is."""
    lines = recount.lines(tx)
    return all(line.agrees for line in lines if line.resource == "backups")


def at_two(house: House, **said: typing.Any) -> str:
    """An instance whose days begin at two."""
    id = house.active()
    house.put(id, window="02:00", **said)
    return id


def test_a_turn_is_a_backup_like_a_users(house: House) -> None:
    id = at_two(house)
    assert house.looks(moment(0, 13.9)) == []
    (row,) = house.looks(moment(0, 14))
    at = datetime.datetime.fromtimestamp(house.clock, datetime.UTC)
    assert row.name == f"scheduled-{at:%Y-%m-%d}T14:00:00Z"
    assert (row.scheduled, row.project, row.parent_id) == (True, DEMO, None)
    operation = house.operations(id)[-1]
    assert (operation.kind, operation.input) == (
        operations.BACK_UP,
        {"backup": row.id},
    )
    assert house.rung[-1] == operation.id
    with house.database.reading() as tx:
        assert instances.load(tx, id).task == Task.BACKING_UP
        assert agrees(tx)
    policy = house.says(id)
    assert (policy.backup_id, policy.last_run) == (row.id, house.clock)
    assert policy.next_due == moment(0, 20)
    assert house.looks(moment(0, 14.1)) == []


def test_a_week_of_a_plan(house: House) -> None:
    """A full one each day, three increments, and of each day one chain."""
    at_two(house)
    for hour in range(14, 26 + 24 * 3):
        house.carried(moment(0, hour))
    rows = house.backups()
    assert len(rows) == 2 + 3 * 4
    chains = [rows[:2], *(rows[n : n + 4] for n in range(2, 14, 4))]
    for chain in chains:
        assert [row.parent_id for row in chain] == [
            None,
            *(row.id for row in chain[:-1]),
        ]


def test_what_was_missed_is_made_once(house: House) -> None:
    id = at_two(house)
    house.carried(moment(0, 14))
    (late,) = house.carried(moment(5, 11))
    assert late.parent_id is None
    assert house.says(id).next_due == moment(5, 14)
    assert house.carried(moment(5, 11.1)) == []
    (more,) = house.carried(moment(5, 14))
    assert more.parent_id == late.id


def test_a_datastore_without_increments_has_none(house: House) -> None:
    id = house.active(datastore={"type": "postgresql"})
    house.put(id, window="02:00")
    made = [row for hour in range(8, 75) for row in house.carried(moment(0, hour))]
    assert [row.parent_id for row in made] == [None] * 3
    assert [row.created for row in made] == [moment(n, 2) for n in (1, 2, 3)]


def test_a_turn_of_an_increment_that_has_nothing_to_stand_on_is_full(
    house: House,
) -> None:
    """Of a version that has them; the guest said no place that one could begin at."""
    house.offer("postgresql", "17")
    id = house.active(datastore={"type": "postgresql", "version": "17"})
    house.put(id, window="02:00")
    assert house.says(id).increment_every == 6
    (first,) = house.carried(moment(0, 14))
    (second,) = house.carried(moment(0, 20))
    assert (first.parent_id, second.parent_id) == (None, None)
    (full,) = house.carried(moment(1, 2))
    with house.database.transaction() as tx:
        backups.changes(tx, full.id, about={"words": {"manifest": "a" * 64}})
    (increment,) = house.carried(moment(1, 8))
    assert (full.parent_id, increment.parent_id) == (None, full.id)


def test_an_increment_stands_on_no_users_backup(house: House) -> None:
    """It would be kept with it for ever."""
    id = at_two(house)
    (full,) = house.carried(moment(0, 14))
    house.clock += 60
    mine = house.backup(id)
    (more,) = house.carried(moment(0, 20))
    assert more.parent_id == full.id != mine


def test_the_users_delete_of_a_full_one_is_followed_by_a_full_one(house: House) -> None:
    at_two(house)
    (full,) = house.carried(moment(0, 14))
    assert house.ask("DELETE", f"backups/{full.id}").status_int == 202
    (again,) = house.carried(moment(0, 20))
    assert again.parent_id is None


# -- what does not work -------------------------------------------------------------


def test_a_busy_instance_is_asked_again(house: House) -> None:
    id = at_two(house)
    due = moment(0, 14)
    house.change(id, task=Task.RESIZING)
    for number in range(3):
        assert house.looks(due + number * AGAIN) == []
        policy = house.says(id)
        assert policy.next_due == due + (number + 1) * AGAIN
        assert policy.last_fault and id in policy.last_fault
    house.change(id, task=Task.NONE)
    (row,) = house.carried(due + 3 * AGAIN)
    assert house.looks(due + 3 * AGAIN + 60) == []
    assert house.says(id).last_fault is None
    assert row.parent_id is None


def test_an_instance_that_is_not_well_is_asked_again(house: House) -> None:
    id = at_two(house)
    house.clock = moment(0, 14)  # its guest has said nothing for hours
    house.keeper.round()
    assert house.backups() == []
    assert "not currently available" in str(house.says(id).last_fault)
    assert len(house.looks(house.clock + AGAIN)) == 1


def test_a_full_quota_waits_for_the_next_turn(house: House) -> None:
    id = at_two(house)
    with house.database.transaction() as tx:
        quotas.set_limits(tx, DEMO, {"backups": 0})
    assert house.looks(moment(0, 14)) == []
    policy = house.says(id)
    assert policy.next_due == moment(0, 20)
    assert "backups" in str(policy.last_fault)
    with house.database.transaction() as tx:
        assert instances.load(tx, id).task == Task.NONE
        assert agrees(tx)
        quotas.set_limits(tx, DEMO, {"backups": 1})
    assert house.looks(moment(0, 14.5)) == []
    assert len(house.carried(moment(0, 20))) == 1
    house.keeper.round()
    assert house.says(id).last_fault is None


def test_after_one_that_failed_another_is_tried_and_it_goes(house: House) -> None:
    id = at_two(house)
    (first,) = house.looks(moment(0, 14))
    fault = {"state": BackupState.FAILED, "fault": "The guest was gone."}
    house.clock += 600
    house.back_up(first.id, **fault)
    house.keeper.round()
    policy = house.says(id)
    assert (policy.backup_id, policy.last_fault) == (None, "The guest was gone.")
    assert policy.next_due == house.clock + AFTER_FAULT
    house.keeper.retain()
    assert [row.state for row in house.backups()] == [BackupState.FAILED]
    (again,) = house.carried(policy.next_due)
    assert again.parent_id is None
    house.keeper.round()
    assert house.says(id).last_fault is None
    house.keeper.retain()
    states = {row.id: row.state for row in house.backups()}
    assert states == {first.id: BackupState.DELETING, again.id: BackupState.COMPLETED}


def test_what_has_no_increments_any_more_is_followed_by_a_full_one(
    house: House,
) -> None:
    """At once, and not at the next turn; a user's choice of that parent is refused."""
    id = at_two(house)
    (full,) = house.carried(moment(0, 14))
    (more,) = house.looks(moment(0, 20))
    assert more.parent_id == full.id
    house.clock += 60
    with house.database.transaction() as tx:
        backups.end_chain(tx, full.id)
        queries.hasten(tx, id)
    house.back_up(more.id, state=BackupState.FAILED, fault="its log is gone")
    (again,) = house.carried(house.clock + 60)
    assert again.parent_id is None
    asked = {"name": "b", "instance": id, "parent_id": full.id}
    answer = house.ask("POST", "backups", {"backup": asked})
    assert answer.status_int == 422 and "must be full" in answer.text
    (next_one,) = house.carried(moment(1, 2))
    assert next_one.parent_id is None, "a day's first one"
    (third,) = house.carried(moment(1, 8))
    assert third.parent_id == next_one.id


def test_what_fails_again_and_again_is_tried_at_its_turns(house: House) -> None:
    """While one is made its instance takes no other order."""
    id = at_two(house, increment_every_hours=None)
    begun, due = [], moment(1, 2)
    while due < moment(4, 2):
        (row,) = house.looks(due)
        house.clock += 60
        house.back_up(row.id, state=BackupState.FAILED, fault="too old")
        house.keeper.round()
        begun.append((due - moment(1, 2)) / HOUR)
        due = house.says(id).next_due
    assert [round(hour) for hour in begun] == [0, 1, 3, 7, 15, 24, 48]
    assert house.says(id).faults == len(begun)
    (row,) = house.carried(due)
    house.keeper.round()
    assert (house.says(id).faults, house.says(id).last_fault) == (0, None)


def test_one_that_is_off_is_let_be(house: House) -> None:
    id = at_two(house)
    house.put(id, enabled=False)
    assert house.looks(moment(3, 14)) == []
    house.put(id, enabled=True)
    assert house.looks(house.clock + 60) == []
    assert len(house.looks(moment(3, 20))) == 1


# -- two at once, and one that dies --------------------------------------------------


def test_two_that_look_at_once_begin_it_once(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path, quotas={})
    ids = [at_two(house) for _ in range(3)]
    house.clock = moment(0, 14)
    house.hears()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(house.keeper.round) for _ in range(4)]:
            done.result(60)
    assert sorted(row.instance_id for row in house.backups()) == sorted(ids)
    assert [len(house.operations(id)) for id in ids] == [2] * 3
    house.close()


def test_who_dies_before_the_end_of_a_turn_has_begun_nothing(house: House) -> None:
    id = at_two(house)
    house.clock = moment(0, 14)
    house.hears()
    before = house.says(id).next_due
    with pytest.raises(KeyboardInterrupt), house.database.transaction() as tx:
        assert turns.take_turn(house.services, tx, id) is not None
        raise KeyboardInterrupt
    assert house.backups() == [] and house.says(id).next_due == before
    assert len(house.looks(house.clock)) == 1
    with house.database.transaction() as tx:  # a message that came twice
        assert turns.take_turn(house.services, tx, id) is None


def test_who_dies_before_he_says_why_looks_again(house: House) -> None:
    id = at_two(house)
    house.change(id, task=Task.RESIZING)
    house.clock = moment(0, 14)
    with pytest.raises(errors.InstanceBusy):
        house.database.run(lambda tx: turns.take_turn(house.services, tx, id))
    assert house.says(id).last_fault is None
    house.keeper.round()
    assert house.says(id).last_fault is not None


def test_late_news_of_an_earlier_backup_change_nothing(house: House) -> None:
    id = at_two(house)
    house.carried(moment(0, 14))
    with house.database.reading() as tx:
        (ended,) = queries.ended(tx, 9)
    (more,) = house.looks(moment(0, 20))
    for _ in range(2):
        with house.database.transaction() as tx:
            turns.note(tx, ended._replace(failed=True, fault="late"))
    policy = house.says(id)
    assert (policy.backup_id, policy.last_fault) == (more.id, None)


# -- retention -----------------------------------------------------------------------


def kept(house: House) -> list[Backup]:
    """After a round of retention whose operations have been carried."""
    house.keeper.retain()
    for row in house.backups():
        if row.state == BackupState.DELETING:
            with house.database.transaction() as tx:
                backups.changes(tx, row.id, deleted_at=house.clock)
    return house.backups()


def days_of(house: House, count: int, **about: typing.Any) -> str:
    """An instance with a full one for each of so many days."""
    id = at_two(house, increment_every_hours=None, keep_days=3, **about)
    for day in range(1, count + 1):
        assert len(house.carried(moment(day, 2))) == 1
    return id


def test_whole_days_go_oldest_first_and_the_last_one_stays(house: House) -> None:
    id = days_of(house, 8)
    rows = house.backups()
    house.keeper.retain()
    going = [row.id for row in house.backups() if row.state == BackupState.DELETING]
    assert sorted(going) == sorted(row.id for row in rows[:4])
    opened = [house.operations(row.id) for row in rows[:4]]
    assert [o.kind for (o,) in opened] == [operations.DELETE_BACKUP] * 4
    assert set(house.rung[-4:]) == {o.id for (o,) in opened}
    house.keeper.retain()  # on its way already
    assert [len(house.operations(row.id)) for row in rows[:4]] == [1] * 4
    left = [row.id for row in kept(house)]
    assert left == [row.id for row in rows[4:]]
    house.put(id, enabled=False)  # they are over as before, and the last is not
    house.clock += 30 * DAY
    assert [row.id for row in kept(house)] == [rows[-1].id]


def test_what_a_user_made_stays_with_its_chain(house: House) -> None:
    id = days_of(house, 1)
    (full,) = house.backups()
    house.clock += 60
    house.hears()
    mine = house.backup(id, incremental=1)
    by_hand = house.backup(id)
    for day in range(2, 9):
        house.carried(moment(day, 2))
    left = {row.id for row in kept(house)}
    assert {full.id, mine, by_hand} < left and len(left) == 3 + 4


def test_a_volumes_snapshot_stands_in_for_no_other(house: House) -> None:
    """It is on what the volume is on: the last one in the store stays."""
    id = days_of(house, 1)
    (full,) = house.backups()
    house.clock += 60
    house.hears()
    mine = house.backup(id)
    with house.database.transaction() as tx:
        backups.changes(tx, mine, driver=SNAPSHOT)
    house.put(id, enabled=False)
    house.clock += 30 * DAY
    assert {row.id for row in kept(house)} == {full.id, mine}


def test_what_a_restore_is_made_of_waits(house: House) -> None:
    days_of(house, 8)
    oldest = house.backups()[0]
    order = {"name": "again", "flavorRef": "1", "volume": {"size": 1}}
    order |= {"restorePoint": {"backupRef": oldest.id}}
    assert house.ask("POST", "instances", {"instance": order}).status_int == 200
    house.keeper.retain()
    states = [row.state for row in house.backups()]
    assert states.count(BackupState.DELETING) == 3
    assert house.backups()[0].state == BackupState.COMPLETED


def test_of_a_deleted_instance_they_are_kept_as_long_as_said(house: House) -> None:
    id = days_of(house, 5)
    before, last = (row.id for row in house.backups()[-2:])
    with house.database.transaction() as tx:
        instances.changes(tx, id, deleted_at=house.clock)
    assert house.looks(moment(6, 2)) == []
    assert house.says(id).enabled is False
    assert last in {row.id for row in kept(house)}
    house.clock = moment(8, 1.9)
    assert [row.id for row in kept(house)] == [before, last]
    house.clock = moment(8, 2.1)
    assert kept(house) == []
    kept(house)
    assert house.says(id) is None


def test_of_one_in_the_recycle_bin_the_policy_stays_what_it_is(house: House) -> None:
    """Until it cannot come back any more."""
    id = days_of(house, 5)
    house.recycle(id, seconds=2 * DAY)
    assert house.looks(moment(6, 2)) == []
    policy = house.says(id)
    assert policy.enabled and policy.next_due > house.clock and not policy.last_fault
    house.clock = moment(40, 0)
    kept(house)
    kept(house)
    assert house.says(id) is not None, "there is no backup of it any more"
    with house.database.transaction() as tx:
        recycled.forget(tx, id)
    assert house.looks(moment(41, 0)) == []
    kept(house)
    assert house.says(id) is None


def test_a_store_that_does_not_let_go_is_asked_again(house: House) -> None:
    days_of(house, 5)
    oldest = house.backups()[0]
    house.keeper.retain()
    house.back_up(oldest.id, state=BackupState.DELETE_FAILED, ended=oldest.created)
    with house.database.transaction() as tx:
        for operation in house.operations(oldest.id):
            tx.delete(tx.merge(operation))
    house.keeper.retain()
    assert house.backups()[0].state == BackupState.DELETING
    assert len(house.operations(oldest.id)) == 1
