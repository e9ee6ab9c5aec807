# SPDX-License-Identifier: Apache-2.0
"""Every flow, every single fault, a crash before and after every write and deed.

The whole product, played as one walk (``tests/chaos/walk.py``). A failure names its
story: ``one(flow, fault, tick)`` plays that one from its birth. The long form
(``bin/run-tests chaos --long``) adds a second crash after each, beside every fault.
"""

import dataclasses
import functools
import os
import random
import typing

import pytest
import sqlalchemy as sa

from tests.chaos import states, stories
from tests.chaos.stories import (
    FLOWS,
    PUBLIC,
    carry_over_with_an_old_agent,
    create,
    one,
    played,
    quiet,
)
from tests.chaos.walk import Story, Walk
from tests.chaos.world import LENT_ADDRESS, Fault, World
from trove import flows as product
from trove.datastores.rows import CHANGED
from trove.db.queries import backups
from trove.db.tables import (
    Backup,
    DatastoreVersion,
    Event,
    Instance,
    Operation,
    RecycledInstance,
)
from trove.flows import rowhashes
from trove.flows.instance_resize_flavor import GIVEN_UP
from trove.model import backups as model
from trove.model import operations
from trove.model.backups import BackupState, Last
from trove.model.operations import CREATE, RESIZE_FLAVOR
from trove.model.states import Task
from trove.model.verifications import Verification
from trove.workflow import journal
from trove.workflow.flow import Flow

CRASHES = 2 if os.environ.get("TROVE_CHAOS") == "all" else 1


@functools.cache
def walk() -> Walk:
    """One for all tests of this process: what one played, another need not."""
    return Walk()


CASES = [(flow, fault) for flow in FLOWS for fault in played(flow, CRASHES > 1)]


@pytest.mark.parametrize(
    ("flow", "fault"), CASES, ids=[f"{flow}-{fault}" for flow, fault in CASES]
)
def test_a_crash_anywhere_leaks_nothing(flow: str, fault: Fault | None) -> None:
    """INV-1..5, 7, 11, 16, 19 (T01)."""
    broken = walk().every_crash(flow, fault, crashes=CRASHES)
    assert not broken, "\n".join(broken[:10])


@pytest.mark.parametrize("flow", FLOWS)
def test_two_crashes_leak_nothing(flow: str) -> None:
    """The second anywhere in what follows the first, with no fault beside them."""
    broken = walk().every_crash(flow, None, crashes=2)
    assert not broken, "\n".join(broken[:10])


def test_every_kind_of_operation_is_played() -> None:
    """A flow without a story would be in no test of this folder."""
    played: set[str] = set()
    plain = [flow for flow in FLOWS if "while" not in flow and "vain" not in flow]
    for flow in plain:
        if set(product.FLOWS) <= played:
            break
        with one(flow).database.reading() as tx:
            played |= set(tx.scalars(sa.select(Operation.kind)))
    assert set(product.FLOWS) <= played


def test_a_walk_ends_where_a_story_played_from_its_birth_ends() -> None:
    """What the walk takes for the same is the same: a sample, played both ways.

    Where it lost its way it takes nothing for the same, and plays from the birth.
    """
    chance, known = random.Random(2), 0
    for flow, fault in chance.sample(CASES, 24):
        bomb = chance.randrange(1, quiet(flow)[0] + 1)
        world = World(fault, bomb)
        FLOWS[flow](world)
        world.run()
        last = states.take(world).key()
        end = walk().end_of(Story(flow, fault, (bomb,)))
        assert end in (last, b""), (flow, fault, bomb)
        known += end == last
    assert known >= 20


BUSY = Fault("guest.restart_database", "bug")
MIXED = [
    # two backups that only their sealed plans tell apart
    ("back_up_in_vain", Story("delete_after_a_last_backup_in_vain", None, (12,))),
    # two operations are due: who died with one does not go on with the other
    ("create", Story("apply_a_module_everywhere_while_it_restarts", BUSY, (1,))),
    # a store with a key manager, and one without
    ("back_up_with_a_key_manager", Story("back_up", None, (23,))),
    ("back_up", Story("back_up_with_a_key_manager", None, (32,))),
]


@pytest.mark.parametrize(("before", "story"), MIXED, ids=[at for at, _ in MIXED])
def test_it_ends_the_same_whatever_was_played_before(before: str, story: Story) -> None:
    """What the walk remembers of one flow is no other one's."""
    known = Walk()
    known.end_of(Story(before, None, (20,)))
    world = World(story.fault, *story.bombs)
    FLOWS[story.flow](world)
    world.run()
    ended = states.take(world).key()
    assert known.end_of(story) == ended


def test_what_another_world_left_in_the_store_is_not_taken_for_the_walks_own() -> None:
    """They have one folder: who is put back has what was his, and nothing else."""
    fresh, story = Walk(), Story("back_up_in_vain", None, (20,))
    end = fresh.end_of(story)
    again = Walk()
    again.begin(Story("create", None, ()))
    assert one("restore_to_a_moment").store.taken()
    assert again.end_of(story) == end


def test_what_another_database_of_this_process_has_is_no_concern() -> None:
    """Other tests before have theirs, and tables in it that are in no other."""
    end = Walk().end_of(Story("create", None, (20,)))
    other = sa.create_engine("sqlite://")
    with other.begin() as line:
        line.execute(sa.text("CREATE TABLE elsewhere (n INTEGER)"))
        line.execute(sa.text("INSERT INTO elsewhere VALUES (1)"))
    assert Walk().end_of(Story("create", None, (20,))) == end


def test_how_long_a_restore_took_makes_no_difference() -> None:
    """Who came first to a state would decide in what figure every other one ends."""
    world = one("verify")
    ended = states.take(world).key()
    with world.database.transaction() as tx:
        tx.execute(sa.update(Backup).values(restore_seconds=Backup.restore_seconds + 1))
    assert states.take(world).key() == ended


def without_undo(name: str) -> dict[str, Flow]:
    """The product's flows, with a create that does not take one step back."""
    create = product.FLOWS[CREATE]
    steps = tuple(
        dataclasses.replace(step, undo=None) if step.name == name else step
        for step in create.steps
    )
    return {**product.FLOWS, CREATE: dataclasses.replace(create, steps=steps)}


@pytest.mark.parametrize(
    ("name", "says"),
    [("make_volume", "INV-2"), ("make_broker_user", "INV-16")],
)
def test_a_missing_undo_is_found(name: str, says: str) -> None:
    """The tests themselves: they go red, and the call they print does too."""
    fault = Fault("compute.boot", "refused", times=None)
    mutant = Walk()
    mutant.world.flows = without_undo(name)
    broken = mutant.every_crash("create", fault, enough=3)
    assert broken and all("one('create', Fault(" in line for line in broken)
    assert any(says in line for line in broken)


def ended(world: World) -> tuple[str, str | None]:
    with world.database.reading() as tx:
        row = tx.get_one(Instance, world.instance)
    return row.task, row.fault


def test_a_create_is_active_and_owns_its_things() -> None:
    assert ended(one("create")) == (Task.NONE, None)


def test_a_restore_to_a_moment_leaves_no_list() -> None:
    """Not even when its taskmanager dies again and again."""
    for bombs in ((), (7,) * 9):
        names = one("restore_to_a_moment", None, *bombs).store.taken()
        assert names and not any("restore-" in name for name in names)


def test_a_crash_alone_never_fails_a_create() -> None:
    ticks = quiet("create")[0]
    for at in range(1, ticks + 1, 8):
        assert ended(one("create", None, at)) == (Task.NONE, None), at


@pytest.mark.parametrize(
    "error",
    [Fault("compute.boot", "unknown", True), Fault("volumes.create", "passing")],
)
def test_a_passing_fault_never_fails_a_create(error: Fault) -> None:
    assert ended(one("create", error)) == (Task.NONE, None)


def test_a_final_fault_leaves_a_row_that_says_why() -> None:
    fault = Fault("network.create_port", "refused", times=None)
    task, why = ended(one("create", fault))
    assert task == Task.FAILED
    assert why is not None and "make_ports" in why


@pytest.mark.parametrize("fault", [None, Fault("network.show_port", "passing")])
def test_a_server_that_is_built_anew_is_told_its_users_addresses_again(
    fault: Fault | None,
) -> None:
    world = World()
    world.lend()
    world.create()
    world.run()
    world.fault, world.left = fault, 1
    world.rebuild()
    world.run()
    world.check()
    assert ended(world) == (Task.NONE, None)
    assert not world.left or fault is None, "the fault did not happen"
    (server,) = (t for t in world.cloud.world.made.values() if t.kind == "server")
    assert server.mark and server.order
    assert LENT_ADDRESS in server.order.user_data


def test_what_the_cloud_puts_in_error_is_made_once_more() -> None:
    world = World()
    world.create()
    spoilt: list[str] = []

    def spoil() -> None:
        volume = next(t for t in world.cloud.things() if t.kind == "volume")
        spoilt.append(volume.id)
        world.cloud.spoil(volume.id)

    world.when("volumes.create", spoil)
    world.run()
    world.check()
    assert ended(world)[0] == Task.NONE
    assert spoilt and spoilt[0] not in {t.id for t in world.cloud.things()}


def test_things_that_stay_invisible_are_not_made_twice() -> None:
    """T11: a lost reply, and lists that lag by ten seconds."""
    for call in ("volumes.create", "compute.boot", "network.create_port"):
        world = World(Fault(call, "unknown", True), visible_after=10)
        create(world)
        world.run()
        world.check()
        assert ended(world)[0] == Task.NONE, call


def test_an_operation_nobody_knows_is_stuck_and_says_so() -> None:
    world = World()
    world.create()
    with world.database.transaction() as tx:
        operation = tx.query(Operation).one()
        operation.kind = "instance.levitate"
    world.run()
    with world.database.reading() as tx:
        operation = tx.query(Operation).one()
    assert operation.state == "stuck"
    assert "instance.levitate" in (operation.fault or "")


def test_a_size_that_the_cloud_keeps_is_shown_and_said() -> None:
    """It is asked back a few times; then the row has what the server has."""
    world = World()
    FLOWS["resize_flavor_that_is_kept"](world)
    world.run()
    task, why = ended(world)
    assert task == Task.NONE and why is not None
    assert "start_database" in why and "the server keeps its new size" in why
    with world.database.reading() as tx:
        row = tx.get_one(Instance, world.instance)
        assert (row.flavor_id, row.ram, row.ram_target) == ("3", 2048, None)
        operation = tx.query(Operation).filter_by(kind=RESIZE_FLAVOR).one()
        assert operation.state == "failed"


def test_the_guest_of_a_server_that_is_lost_is_not_waited_for() -> None:
    world = World()
    FLOWS["resize_flavor_in_vain"](world)
    world.when("compute.revert", lambda: world.servers_are("ERROR"))
    world.run()
    task, why = ended(world)
    assert task == Task.NONE and why is not None and "start_database" in why
    with world.database.reading() as tx:
        operation = tx.query(Operation).filter_by(kind=RESIZE_FLAVOR).one()
        assert operation.state == "failed"
        assert operation.updated - operation.created < GIVEN_UP / 3


@pytest.mark.parametrize("bombs", [(), (7,) * 20], ids=["no death", "twenty deaths"])
def test_an_order_that_the_agents_release_does_not_know_stops_nothing_for_hours(
    bombs: tuple[int, ...],
) -> None:
    """An upgrade needs what only newer agents can do (ADR 29)."""
    world = World(None, *bombs)
    carry_over_with_an_old_agent(world)
    began = world.moment
    world.run()
    world.check()
    task, why = ended(world)
    assert task == Task.NONE and why is not None
    assert "unload_data" in why and "older release" in why and "rebuild" in why
    assert not world.bombs, "not all deaths happened"
    assert world.moment - began < 30 * 60
    done = [id for jobs in world.guests.done.values() for id in jobs]
    assert any(id.endswith("/restart_database.back") for id in done)


def test_what_an_export_left_in_the_engine_is_asked_back() -> None:
    """Its process may have died; who waits for a delete waits for no guest."""
    asked = {}
    for story in (stories.export_in_vain, stories.delete_while_exporting):
        world = World()
        story(world)
        world.run()
        world.check()
        done = [id for jobs in world.guests.done.values() for id in jobs]
        asked[story] = any(id.endswith("/export.back") for id in done)
    assert asked == {
        stories.export_in_vain: True,
        stories.delete_while_exporting: False,
    }


VERDICTS = {
    stories.verify: (Verification.VERIFIED, None),
    stories.verify_in_vain: (Verification.FAILED, "could not restore"),
    stories.verify_what_is_sick: (Verification.FAILED, "could not check data"),
    stories.verify_rows: (Verification.VERIFIED, None),
    stories.verify_other_rows: (Verification.FAILED, "could not check rows"),
    stories.verify_rows_by_an_older_release: (Verification.VERIFIED, None),
    stories.verify_what_was_changed: (Verification.FAILED, "another one than was"),
    stories.verify_by_an_older_release: (Verification.UNKNOWN, "older release"),
    stories.verify_by_one_that_falls_silent: (Verification.UNKNOWN, "said nothing"),
    stories.delete_while_verifying: (Verification.UNKNOWN, "cancelled"),
}


@pytest.mark.parametrize("story", VERDICTS, ids=lambda story: story.__name__)
def test_what_a_guest_says_is_a_verdict_and_nothing_else(story: typing.Any) -> None:
    """INV-10: what says nothing of a backup does not make it a bad one."""
    world = World()
    story(world)
    world.run(1000)  # a silent guest is waited for
    world.check()
    assert verdict(world) == VERDICTS[story][0]
    with world.database.reading() as tx:
        why = tx.get_one(Backup, world.backup).verify_fault
    assert (why is None) == (VERDICTS[story][1] is None)
    assert why is None or str(VERDICTS[story][1]) in why


ROWS = {
    stories.verify: (None, None),
    stories.verify_rows: (
        {"tables": 1, CHANGED: 1},
        {"tables": 1, "equal": 1, CHANGED: 1},
    ),
    stories.verify_other_rows: ({"tables": 1, CHANGED: 1}, None),
    stories.verify_rows_by_an_older_release: (
        {"tables": 1, CHANGED: 1},
        {"tables": 0, "equal": 0, "none": rowhashes.OLD_IMAGE},
    ),
    stories.back_up_rows: ({"tables": 1, CHANGED: 1}, None),
    stories.back_up_rows_by_an_older_release: ({"none": rowhashes.OLD}, None),
}
"""What is told of the hashes of rows: when they were taken, and when compared."""


@pytest.mark.parametrize("story", ROWS, ids=lambda story: story.__name__)
def test_how_many_tables_have_the_rows_that_they_had_is_told(
    story: typing.Any,
) -> None:
    """And no table's name is, but of one that has others."""
    world = World()
    story(world)
    world.run(1000)
    world.check()
    with world.database.reading() as tx:
        about = tx.get_one(Backup, world.backup).about or {}
    told = about.get("rows"), about.get("verified_rows")
    assert told == ROWS[story] and "goods" not in str(told)


def test_what_has_no_increments_any_more_is_known_to_have_none() -> None:
    """The next one is full, whoever asks; who asks for that parent hears why."""
    world = one("back_up_without_its_log")
    with world.database.reading() as tx:
        row = tx.get_one(Backup, world.backup)
        assert row.state == BackupState.FAILED
        assert "binlog.000007 is not there" in str(row.fault)
        parent = str(row.parent_id)
        links = backups.links(tx, world.instance)
    assert [link.id for link in links if link.last] == [parent]
    with pytest.raises(Last, match="must be full"):
        model.parent(links, parent)


def test_a_cloud_without_room_says_nothing_of_a_backup() -> None:
    for call in ("compute.boot", "volumes.create", "network.make_group"):
        world = one("verify", Fault(call, "refused", times=None))
        assert verdict(world) == Verification.UNKNOWN, call


def test_a_crash_alone_never_fails_a_verification() -> None:
    ticks = quiet("verify")[0]
    for at in range(1, ticks + 1, 11):
        assert verdict(one("verify", None, at)) == Verification.VERIFIED, at


def verdict(world: World) -> str | None:
    with world.database.reading() as tx:
        row = tx.get_one(Backup, world.backup)
    assert row.unsound == (row.verification == Verification.FAILED)
    return row.verification


def shown_and_there(world: World) -> tuple[set[str], set[str]]:
    """The public addresses that a user is told, and those that lead to him."""
    with world.database.reading() as tx:
        told = tx.get_one(Instance, world.instance).addresses or ()
    made = world.cloud.world.made.values()
    floating = [each for each in made if each.kind == "floating_ip"]
    return (
        {entry["address"] for entry in told if entry["type"] == "public"},
        {address for each in floating for address in each.addresses},
    )


def private_in_vain(world: World, meanwhile: typing.Callable[[], None]) -> None:
    """One that serves with a public address is to lose it: it does, and then the
    change fails; ``meanwhile`` happens right before."""
    world.access = PUBLIC
    world.create()
    world.run()
    shown, there = shown_and_there(world)
    assert shown == there != set()
    world.fault = Fault("network.delete_floating_ip", "refused", after=True)
    world.left = 1
    world.show_to_all(False)
    world.when("network.delete_floating_ip", meanwhile)


def test_an_address_that_cannot_be_had_back_is_not_shown() -> None:
    world = World()
    networks = world.cloud.world.networks

    def used_up() -> None:
        for id in [id for id, network in networks.items() if network.public]:
            del networks[id]

    private_in_vain(world, used_up)
    world.run()
    assert not world.left, "the fault did not happen"
    task, why = ended(world)
    assert task == Task.NONE and why is not None and "set_address" in why
    assert shown_and_there(world) == (set(), set())


def test_an_address_that_was_not_taken_away_is_shown() -> None:
    """What refuses another one refuses the one that there is nothing."""
    world = World()
    world.access = PUBLIC
    world.create()
    world.run()
    world.fault, world.left = Fault("network.delete_floating_ip", "refused"), 1
    world.show_to_all(False)
    networks = world.cloud.world.networks
    for id in [id for id, network in networks.items() if network.public]:
        del networks[id]
    world.run()
    assert not world.left, "the fault did not happen"
    shown, there = shown_and_there(world)
    assert shown == there != set()


def test_an_address_that_went_before_a_delete_came_is_not_shown() -> None:
    world = World()
    private_in_vain(world, world.delete)
    seen = []
    world.when("compute.delete", lambda: seen.append(shown_and_there(world)))
    world.run()
    assert seen == [(set(), set())]


def test_a_delete_that_hangs_shows_no_address_that_is_gone() -> None:
    world = World(Fault("network.delete_port", "refused", times=None))
    world.access = PUBLIC
    world.create()
    world.run()
    world.delete()
    for _ in range(20):
        world.turn()
    assert shown_and_there(world) == (set(), set())
    assert ended(world)[0] == Task.DELETING


# -- nothing lost by a click ---------------------------------------------------------


def rows(world: World) -> tuple[Instance, RecycledInstance | None, list[Backup]]:
    with world.database.reading() as tx:
        bin = tx.get(RecycledInstance, world.instance)
        saved = list(tx.scalars(sa.select(Backup)))
        return tx.get_one(Instance, world.instance), bin, saved


def kinds(world: World) -> list[tuple[str, str]]:
    """What was done to it, and how that ended."""
    with world.database.reading() as tx:
        found = sa.select(Operation.kind, Operation.state).order_by(Operation.created)
        return [(kind, state) for kind, state in tx.execute(found)]


def told(world: World) -> list[str]:
    with world.database.reading() as tx:
        return list(tx.scalars(sa.select(Event.kind).order_by(Event.seq)))


def test_a_last_backup_outlives_its_instance() -> None:
    row, bin, (saved,) = rows(one("delete_after_a_last_backup"))
    assert (row.deleted_at is not None, bin, saved.state) == (True, None, "COMPLETED")


def test_one_that_failed_deletes_nothing_that_is_not_kept() -> None:
    world = one("delete_after_a_last_backup_in_vain")
    row, bin, (saved,) = rows(world)
    assert (row.deleted_at, row.task, bin, saved.state) == (
        None,
        "NONE",
        None,
        "FAILED",
    )
    assert row.fault and "final_backup=false" in row.fault and "save_data" in row.fault
    assert kinds(world)[-1] == ("instance.backup", "failed")


def test_one_that_failed_is_told_where_the_volume_is_kept() -> None:
    world = one("delete_after_a_last_backup_to_the_bin_in_vain")
    row, bin, (saved,) = rows(world)
    assert row.deleted_at is not None and bin is not None and saved.state == "FAILED"
    assert "instance.final_backup_missed" in told(world)


def test_what_is_full_instead_stands_on_nothing() -> None:
    world = one("back_up_in_full_instead")
    _, _, (first, second) = rows(world)
    assert (first.state, second.state) == ("COMPLETED", "COMPLETED")
    assert second.parent_id is None


def test_a_snapshot_that_the_cloud_keeps_is_told_and_goes_later() -> None:
    world = one("delete_a_snapshot_that_is_kept")
    _, _, (kept,) = rows(world)
    assert kept.state == BackupState.DELETE_FAILED
    assert "delete the instances that were restored from this backup" in kept.fault
    world.cloud.world.keeps_sources = False
    world.delete_backup(kept.id)
    world.run()
    world.check()
    assert rows(world)[2][0].deleted_at is not None
    assert world.cloud.snapshots.owned() == []


def test_who_asked_for_an_increment_gets_what_he_asked_for() -> None:
    """Whatever the guest says of it."""
    world = World()
    FLOWS["back_up_in_full_instead"](world)
    with world.database.transaction() as tx:
        tx.get_one(Backup, world.backup).scheduled = False
    world.run()
    _, _, found = rows(world)
    (second,) = (row for row in found if row.id == world.backup)
    assert (second.state, second.parent_id is None) == ("COMPLETED", False)


@pytest.mark.parametrize("old", [False, True])
def test_an_image_of_an_older_release_restores_no_chain_of_postgresql(
    old: bool,
) -> None:
    """It would serve the first link: what it is asked it does not know (T24)."""
    world = World()
    FLOWS["restore"](world)
    with world.database.transaction() as tx:
        tx.get_one(DatastoreVersion, "v").manager = "postgresql"
    world.guests.unknown = ("/restore_chain",) if old else ()
    world.run()
    world.check()
    with world.database.reading() as tx:
        row = tx.get_one(Instance, world.instance)
    assert (row.task == Task.NONE) is not old
    assert not old or "of an older release" in str(row.fault)


def test_who_protects_it_meanwhile_keeps_it() -> None:
    world = World()
    FLOWS["delete_after_a_last_backup"](world)

    def protect() -> None:
        with world.database.transaction() as tx:
            tx.get_one(Instance, world.instance).deletion_protection = True

    world.when("guest.back_up", protect)
    world.run()
    row, _, (saved,) = rows(world)
    assert (row.deleted_at, row.task, saved.state) == (None, "NONE", "COMPLETED")
    assert row.fault and "protected" in row.fault


def test_who_stops_the_last_backup_stops_the_delete() -> None:
    """An administrator's reset; nothing says that the volume may go, kept or not."""
    world = World()
    FLOWS["delete_after_a_last_backup_to_the_bin"](world)

    def reset() -> None:
        with world.database.transaction() as tx:
            live = journal.live(tx, operations.INSTANCE, world.instance)
            assert live is not None and journal.cancel(tx, live.id)

    world.when("guest.back_up", reset)
    world.run()
    world.check()
    row, bin, (saved,) = rows(world)
    assert (row.deleted_at, row.task, bin) == (None, "NONE", None)
    assert saved.state == "FAILED"


@pytest.mark.parametrize(
    "flow", [flow for flow in FLOWS if "undelet" in flow and "in_vain" not in flow]
)
def test_what_comes_back_has_the_volume_that_it_had(flow: str) -> None:
    assert "volumes.create" not in quiet(flow)[1]


def test_what_comes_back_is_prepared_as_one_that_has_data() -> None:
    """A guest that finds none makes none (``guestagent.desk.make_volume``)."""
    world, plans = World(), []
    FLOWS["undelete"](world)
    hears = world.guests.savers.hears

    def listening(job: str, method: str, arguments: dict[str, typing.Any]) -> bool:
        if method == "prepare":
            plans.append(arguments["plan"])
        return hears(job, method, arguments)

    world.guests.savers.hears = listening  # type: ignore[method-assign]
    world.run()
    world.check()
    assert ended(world) == (Task.NONE, None)
    assert plans and all(plan.copy and not plan.back for plan in plans)
    assert all(plan.databases == () for plan in plans)


def test_what_comes_back_is_as_large_as_its_volume_became() -> None:
    row, _, _ = rows(one("undelete_what_was_growing"))
    assert (row.volume_size, row.volume_target) == (3, None)


def test_one_whose_volume_is_gone_says_so_and_gets_no_other() -> None:
    world = World()
    FLOWS["undelete"](world)
    (volume,) = [t for t in world.cloud.world.made.values() if t.kind == "volume"]
    del world.cloud.world.made[volume.id]
    world.run()
    row, bin, _ = rows(world)
    assert row.deleted_at is not None and bin is not None
    assert bin.fault and volume.id in bin.fault and "not there" in bin.fault
    assert "volumes.create" not in world.calls
    assert not [t for t in world.cloud.things() if t.deployment], "INV-16"


def test_after_one_that_failed_there_is_a_day_to_try_again() -> None:
    world = World()
    FLOWS["undelete_in_vain"](world)
    world.pass_time(3 * 86400.0)
    world.run()
    _, bin, _ = rows(world)
    assert bin is not None and bin.fault
    assert bin.reclaim_at >= world.moment + 86000.0
    world.guests.cannot = ()
    world.undelete()
    world.run()
    world.check()
    assert ended(world) == (Task.NONE, None)
