# SPDX-License-Identifier: Apache-2.0
"""Verifications: who waits longest comes first, as many at once as may be."""

import pathlib
import typing
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.api.world import DEMO, IMAGE, World
from trove.actions import recount, turns
from trove.actions import verifications as actions
from trove.actions.images import Chosen
from trove.cloud import protocol
from trove.db.queries import backups, instances, quotas, schedules, verifications
from trove.db.tables import Backup, BackupPolicy, Event, Instance, Operation
from trove.model import operations
from trove.model.backups import BackupState
from trove.model.schedules import DAY, HOUR
from trove.model.states import OperationState
from trove.model.verifications import OWNER, Verification
from trove.taskmanager.verifications import Verifications

Plain = dict[str, typing.Any]


class House(World):
    """The API's world, and a taskmanager that looks after verifications."""

    def looks(self) -> list[Instance]:
        """The servers that a round begins with."""
        before = {row.id for row in self.scratches()}
        Verifications(self.services).round()
        return [row for row in self.scratches() if row.id not in before]

    def scratches(self) -> list[Instance]:
        with self.database.reading() as tx:
            ours = Instance.project == OWNER
            return list(tx.scalars(sa.select(Instance).where(ours)))

    def row(self, id: str) -> Backup:
        with self.database.reading() as tx:
            return backups.load(tx, id)

    def wanted(self, id: str) -> None:
        answer = self.ask("POST", f"backups/{id}/action", {"verify": {}})
        assert answer.status_int == 202, answer.text
        self.clock += 1

    def ends(self, scratch: Instance, fault: str | None = None) -> None:
        """What a taskmanager and the server's guest would have done."""
        backup = str(scratch.restored_from)
        with self.database.transaction() as tx:
            if fault is None:
                verifications.verified(tx, backup, 61.25)
            else:
                verifications.failed(tx, backup, fault)
            quotas.release(tx, OWNER, {"instances": 1, "ram": 512, "volumes": 1})
            instances.changes(tx, scratch.id, deleted_at=self.clock)
            tx.execute(
                sa.update(Operation)
                .where(Operation.object_id == scratch.id)
                .values(state=OperationState.DONE, lock_key=None, input=None)
            )

    def says(self, id: str) -> BackupPolicy:
        with self.database.reading() as tx:
            return typing.cast(BackupPolicy, schedules.get(tx, id))

    def agrees(self) -> bool:
        """Whether the counter of our servers says what there is."""
        with self.database.reading() as tx:
            return all(line.agrees for line in recount.lines(tx, OWNER))


@pytest.fixture
def house(tmp_path: pathlib.Path) -> Iterator[House]:
    made = House(tmp_path, quotas={})
    yield made
    made.close()


def test_a_backup_that_waits_is_restored_on_a_server_of_ours(house: House) -> None:
    id = house.active(access={"is_public": False, "allowed_cidrs": ["10.0.0.0/8"]})
    made = house.backup(id)
    house.wanted(made)
    before = house.ask("GET", "instances").json
    (scratch,) = house.looks()
    assert house.row(made).verification == Verification.RUNNING
    assert (scratch.project, scratch.restored_from) == (OWNER, made)
    assert (scratch.flavor_id, scratch.ram, scratch.volume_size) == ("1", 512, 1)
    assert (scratch.nic, scratch.access, scratch.port_id) == (None, None, None)
    (operation,) = house.operations(scratch.id)
    assert (operation.kind, operation.project) == (operations.VERIFY, OWNER)
    order = operations.CreateInstance.from_dict(operation.input or {})
    assert (order.restore, order.image, order.users) == (made, IMAGE, ())
    assert house.rung[-1] == operation.id
    assert house.agrees()
    assert house.ask("GET", "instances").json == before
    assert house.ask("GET", f"instances/{scratch.id}").status_int == 404
    delete = house.ask("DELETE", f"instances/{scratch.id}")
    assert delete.status_int == 404
    with house.database.reading() as tx:
        rows = {row["resource"]: row for row in quotas.rows(tx, DEMO, {})}
    assert rows["instances"]["reserved"] == 1, "his own"


def test_its_volume_has_room_for_what_is_in_it(house: House) -> None:
    """And for the increments of a chain, beside what they change."""
    id = house.active()
    full = house.backup(id)
    for made, size in ((full, 6), (house.backup(id, parent_id=full), 11)):
        with house.database.transaction() as tx:
            backups.changes(tx, made, size=5 * 2**30 + 1)
        house.wanted(made)
        (scratch,) = house.looks()
        assert scratch.volume_size == size
        cost = {"volumes": size - 1}  # ``ends`` gives one back
        with house.database.transaction() as tx:
            quotas.release(tx, OWNER, cost)
        house.ends(scratch)


@pytest.mark.parametrize("places", [1, 2])
def test_as_many_at_once_as_may_be(tmp_path: pathlib.Path, places: int) -> None:
    house = House(tmp_path, quotas={}, verify_at_once=places)
    made = [house.backup(house.active()) for _ in range(3)]
    for id in reversed(made):
        house.wanted(id)
    found = house.looks()
    assert {row.restored_from for row in found} == {made[2], made[1]} & set(
        made[3 - places :]
    )
    assert house.looks() == []
    house.ends(found[0])
    (following,) = house.looks()
    assert following.restored_from == made[2 - places]
    assert house.agrees()
    house.close()


def test_two_that_look_at_once_begin_with_one(house: House) -> None:
    """The second finds that it does not wait any more."""
    made = house.backup(house.active())
    house.wanted(made)
    house.looks()
    assert actions.start(house.services, made) is None
    assert len(house.scratches()) == 1


def test_the_result_is_shown(house: House) -> None:
    made = house.backup(house.active())
    house.wanted(made)
    house.ends(*house.looks())
    shown = house.ask("GET", f"backups/{made}").json["backup"]
    assert shown["verification"] == "VERIFIED" and shown["verified_at"]
    assert (shown["restore_seconds"], shown["verify_fault"]) == (61.2, None)
    house.wanted(made)
    (scratch,) = house.looks()
    house.ends(scratch, "there is no room")
    again = house.ask("GET", f"backups/{made}").json["backup"]
    assert again["verified_at"] == shown["verified_at"], "it was"
    assert (again["verification"], again["verify_fault"]) == (
        "UNKNOWN",
        "there is no room",
    )


def test_what_is_being_verified_is_not_deleted(house: House) -> None:
    made = house.backup(house.active())
    house.wanted(made)
    (scratch,) = house.looks()
    answer = house.ask("DELETE", f"backups/{made}")
    assert answer.status_int == 422 and "it is being verified" in answer.text
    assert scratch.id not in answer.text
    house.ends(scratch)
    assert house.ask("DELETE", f"backups/{made}").status_int == 202


def test_an_administrator_sees_its_server_and_may_end_it(house: House) -> None:
    made = house.backup(house.active())
    house.wanted(made)
    (scratch,) = house.looks()
    listed = house.ask("GET", "mgmt/instances?deleted=false", caller="admin")
    assert scratch.id in listed.text
    gone = house.ask("DELETE", f"instances/{scratch.id}", caller="admin")
    assert gone.status_int == 202
    verify, delete = house.operations(scratch.id)
    assert verify.cancel and delete.after == verify.id


def test_a_delete_is_sooner_than_one_that_waits(house: House) -> None:
    made = house.backup(house.active())
    house.wanted(made)
    assert house.ask("DELETE", f"backups/{made}").status_int == 202
    assert house.looks() == []


class Away:
    """Images, while the cloud does not answer."""

    def image(self, version: object) -> str:
        raise protocol.Passing("503")


# -- what cannot be -------------------------------------------------------------------


def gone_image(house: House) -> None:
    house.cloud.world.images = {}
    house.services.images._known.clear()


def gone_flavor(house: House) -> None:
    house.cloud.world.flavors = {}
    house.services.flavors._read_at = None


@pytest.mark.parametrize(
    ("spoil", "says"), [(gone_image, "no image"), (gone_flavor, "[Ff]lavor")]
)
def test_what_there_is_no_server_for_is_refused_or_told(
    house: House, spoil: typing.Callable[[House], None], says: str
) -> None:
    made, other = (house.backup(house.active()) for _ in range(2))
    house.wanted(made)
    spoil(house)
    answer = house.ask("POST", f"backups/{other}/action", {"verify": {}})
    assert answer.status_int == 422, answer.text
    assert "cannot be verified" in answer.text
    assert house.looks() == []
    row = house.row(made)
    assert row.verification == Verification.UNKNOWN and not row.unsound
    assert "cannot be verified" in str(row.verify_fault)
    kind = Event.kind == "instance.backup_not_verified"
    with house.database.reading() as tx:
        (event,) = tx.scalars(sa.select(Event).where(kind))
    assert event.object_id == row.instance_id
    assert house.looks() == [], "it waits no more"
    assert house.agrees()


def test_while_the_cloud_is_away_it_waits(house: House) -> None:
    made = house.backup(house.active())
    house.wanted(made)
    images = house.services.images
    house.services.images = typing.cast(Chosen, Away())
    with pytest.raises(protocol.Passing):
        house.looks()
    house.services.images = images
    assert house.row(made).verification == Verification.WAITING
    assert len(house.looks()) == 1


def test_where_no_store_is_named_nothing_is_verified(tmp_path: pathlib.Path) -> None:
    house = House(tmp_path)
    made = house.backup(house.active())
    house.services.settings = type(house.services.settings)(backup_driver=None)
    answer = house.ask("POST", f"backups/{made}/action", {"verify": {}})
    assert answer.status_int == 501
    house.close()


def test_an_increment_of_what_failed_is_not_verified(house: House) -> None:
    id = house.active()
    full = house.backup(id)
    increment = house.backup(id, parent_id=full)
    with house.database.transaction() as tx:
        backups.changes(tx, full, state=BackupState.DELETE_FAILED)
    answer = house.ask("POST", f"backups/{increment}/action", {"verify": {}})
    assert answer.status_int == 409 and "DELETE_FAILED" in answer.text


# -- by policy ------------------------------------------------------------------------


def scheduled(house: House, id: str, **columns: typing.Any) -> str:
    """A backup of its policy that becomes whole."""
    with house.database.transaction() as tx:
        schedules.changes(tx, id, next_due=house.clock)
    operation = house.database.run(lambda tx: turns.take_turn(house.services, tx, id))
    with house.database.reading() as tx:
        made = backups.made_by(tx, str(operation))
    house.database.run(lambda tx: verifications.choose(tx, made))
    house.back_up(made, **columns)
    return made


def put(house: House, id: str, **said: typing.Any) -> None:
    path = f"instances/{id}/backup_policy"
    answer = house.ask("PUT", path, {"backup_policy": {"window": "08:00", **said}})
    assert answer.status_int == 200, answer.text


def hears(house: House, id: str, moment: float) -> None:
    house.clock = moment
    house.finish(id)


def test_a_policy_chooses(house: House) -> None:
    """Of eight days, a backup each: every one, two a week, none."""
    for said, count in (("every", 8), (2, 3), ("never", 0)):
        id, begun = house.active(), house.clock
        put(house, id, verify=said, increment_every_hours=None)
        made = []
        for day in range(8):
            hears(house, id, begun + day * DAY)
            made.append(scheduled(house, id))
        found = [house.row(each).verification for each in made]
        assert found.count(Verification.WAITING) == count, said
        assert found.count(None) == 8 - count
        with house.database.transaction() as tx:
            for each in made:
                backups.changes(tx, each, verification=None)


def test_a_users_own_backup_is_one_of_every(house: House) -> None:
    id = house.active()
    put(house, id, verify="every")
    made = house.backup(id)
    house.database.run(lambda tx: verifications.choose(tx, made))
    assert house.row(made).verification == Verification.WAITING


def test_of_an_instance_without_a_policy_none_is(house: House) -> None:
    made = house.backup(house.active())
    house.database.run(lambda tx: verifications.choose(tx, made))
    assert house.row(made).verification is None


def test_after_an_unsound_one_comes_a_full_one_and_nothing_goes(house: House) -> None:
    id, begun = house.active(), house.clock
    put(house, id, verify="never", full_every_days=30, keep_days=1)
    good = scheduled(house, id)
    hears(house, id, begun + 30 * DAY)
    bad = scheduled(house, id)
    hears(house, id, begun + 30 * DAY + 6 * HOUR)
    more = scheduled(house, id)
    assert house.row(more).parent_id == bad
    hears(house, id, begun + 32 * DAY)
    with house.database.reading() as tx:
        assert turns.wanting(tx, [house.says(id)]) == [id], "the good one may go"
    house.wanted(more)
    (scratch,) = house.looks()
    with house.database.transaction() as tx:
        backups.changes(tx, more, unsound=True)
    house.ends(scratch, "mariadb-check: shop.goods is corrupt")
    row = house.row(more)
    assert (row.verification, row.unsound) == (Verification.FAILED, True)
    policy = house.says(id)
    assert "shop.goods is corrupt" in str(policy.last_fault)
    assert policy.next_due <= house.clock + DAY
    with house.database.reading() as tx:
        assert turns.wanting(tx, [policy]) == [], "the last good one stays"
    assert house.database.run(lambda tx: turns.retain(tx, id)) == []
    assert house.row(good).state == BackupState.COMPLETED
    answer = house.ask(
        "POST", "backups", {"backup": {"name": "b", "instance": id, "parent_id": bad}}
    )
    assert answer.status_int == 422 and "must be full" in answer.text
    hears(house, id, policy.next_due)
    after = scheduled(house, id)
    assert house.row(after).parent_id is None
    mine = house.ask(
        "POST", "backups", {"backup": {"name": "b", "instance": id, "incremental": 1}}
    )
    assert mine.json["backup"]["parent_id"] == after


def test_one_that_could_not_be_tried_counts_and_the_next_is_chosen(
    house: House,
) -> None:
    id, begun = house.active(), house.clock
    put(house, id, verify=1)
    full = scheduled(house, id)
    (scratch,) = house.looks()
    house.ends(scratch, "the server could not be made")
    assert house.row(full).verification == Verification.UNKNOWN
    assert "could not be made" in str(house.says(id).last_fault)
    hears(house, id, begun + 6 * HOUR)
    more = scheduled(house, id)
    assert house.row(more).parent_id == full
    assert house.row(more).verification == Verification.WAITING


def test_an_end_that_is_told_twice_is_one(house: House) -> None:
    made = house.backup(house.active())
    house.wanted(made)
    house.ends(*house.looks())
    with house.database.transaction() as tx:
        assert not verifications.failed(tx, made, "late")
    assert house.row(made).verification == Verification.VERIFIED
