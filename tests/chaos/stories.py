# SPDX-License-Identifier: Apache-2.0
"""The stories: flows, single faults, crashes; ``one`` plays a story from its birth."""

import contextlib
import functools
import typing

from tests.chaos.world import PROJECT, REFUSED, TAKEN, Fault, World
from trove.model.backups import SNAPSHOT
from trove.model.operations import DeleteInstance, Replay
from trove.storage.backups import Names
from trove.workflow.flow import Flow

DAYS = 3 * 86400.0


def create(world: World) -> None:
    world.create()


def delete(world: World) -> None:
    """Of an instance that is ACTIVE."""
    _quietly_created(world)
    world.delete()


def delete_to_the_bin(world: World) -> None:
    """Of one that has a module: its volume is kept, and nothing else."""
    _quietly_created(world, world.module(TAKEN))
    world.delete(keep=DAYS)


def delete_after_a_last_backup(world: World) -> None:
    _quietly_created(world)
    world.back_up(delete=DeleteInstance())


def delete_after_a_last_backup_to_the_bin(world: World) -> None:
    _quietly_created(world)
    world.back_up(delete=DeleteInstance(keep=DAYS))


def delete_after_a_last_backup_in_vain(world: World) -> None:
    """Nothing else would be kept: it is not deleted."""
    delete_after_a_last_backup(world)
    world.guests.cannot = ("/back_up",)


def delete_after_a_last_backup_to_the_bin_in_vain(world: World) -> None:
    """Its volume is kept: it is deleted."""
    delete_after_a_last_backup_to_the_bin(world)
    world.guests.cannot = ("/back_up",)


def delete_while_a_last_backup_is_made(world: World) -> None:
    """A delete that wants none comes, and wins."""
    delete_after_a_last_backup_to_the_bin(world)
    world.when("guest.back_up", world.delete)


def undelete(world: World) -> None:
    """Of one that has a module and a public address."""
    world.access = PUBLIC
    _quietly_recycled(world, world.module(TAKEN))
    world.undelete()


def undelete_on_a_port(world: World) -> None:
    world.lend()
    _quietly_recycled(world)
    world.undelete()


def undelete_what_was_growing(world: World) -> None:
    """The delete had come when its volume grew: it is as large as that is now."""
    _quietly_created(world)
    with _quietly(world):
        world.resize_volume()
        world.when("volumes.extend", lambda: world.delete(keep=DAYS))
    world.undelete()


def undelete_in_vain(world: World) -> None:
    """The database does not come up: it is in the bin, with its volume."""
    _quietly_recycled(world)
    world.undelete()
    world.guests.cannot = ("/prepare",)


def undelete_again(world: World) -> None:
    """It came back, and was deleted once more."""
    _quietly_recycled(world)
    with _quietly(world):
        world.undelete()
    with _quietly(world):
        world.delete(keep=DAYS)
    world.undelete()


def delete_to_the_bin_while_undeleting(world: World) -> None:
    _quietly_recycled(world)
    world.undelete()
    world.when("compute.boot", lambda: world.delete(keep=DAYS))


def delete_while_undeleting(world: World) -> None:
    """With everything, when the guest has its job already."""
    _quietly_recycled(world)
    world.undelete()
    world.when("guest.prepare", world.delete)


def reclaim(world: World) -> None:
    _quietly_recycled(world)
    world.reclaim()


def delete_while_building(world: World) -> None:
    """The delete comes in the middle of the create, and wins."""
    world.create()
    world.when("volumes.create", world.delete)


def delete_when_booted(world: World) -> None:
    """The delete comes when the guest has its job already."""
    world.create()
    world.when("guest.prepare", world.delete)


def delete_while_booting(world: World) -> None:
    """The cloud leaves the volume reserved for a server that it never finished."""
    world.create()
    world.cloud.world.leaves_reserved = True
    world.when("compute.boot", world.delete)


def back_up(world: World) -> None:
    _quietly_created(world)
    world.back_up()


def back_up_with_a_key_manager(world: World) -> None:
    """It makes the first key of the project; while the guest works, somebody has the
    next one made."""
    back_up(world)
    world.store.manage()
    world.when("guest.back_up", world.store.rotate)


def back_up_in_vain(world: World) -> None:
    """The engine's tool does not end well."""
    back_up(world)
    world.guests.cannot = ("/back_up",)


def back_up_in_full_instead(world: World) -> None:
    """A policy's increment: the guest cannot say what has changed, and says all."""
    world.back_up(_quietly_backed_up(world), scheduled=True)
    world.guests.savers.lies = "full"


def back_up_of_a_liar(world: World) -> None:
    """The guest says that all is there, and one part is not."""
    back_up(world)
    world.guests.savers.lies = "no part"


def back_up_without_its_log(world: World) -> None:
    """The log is gone that the increment would be."""
    parent = _quietly_backed_up(world)
    world.back_up(parent)
    world.guests.savers.lies = "no log"


def snapshot(world: World) -> None:
    _quietly_created(world)
    world.back_up(driver=SNAPSHOT)


def snapshot_in_vain(world: World) -> None:
    """The guest cannot hold its volume still."""
    snapshot(world)
    world.guests.cannot = ("/freeze",)


def snapshot_too_late(world: World) -> None:
    """The cloud takes longer than the volume is held still."""
    snapshot(world)
    world.when("guest.freeze", lambda: world.pass_time(60))


def delete_while_taking_a_snapshot(world: World) -> None:
    """The delete comes when it is ordered, and wins."""
    snapshot(world)
    world.when("snapshots.create", world.delete)


def delete_a_snapshot(world: World) -> None:
    """Of an instance that is gone: its volume goes with it."""
    taken = _quietly_taken(world)
    with _quietly(world):
        world.delete()
    world.delete_backup(taken)


def delete_a_snapshot_that_is_kept(world: World) -> None:
    """There is an instance whose volume was made of it, and the cloud says no later."""
    taken = _quietly_taken(world)
    with _quietly(world):
        world.delete()
    with _quietly(world):
        world.create(restore=taken)
    world.cloud.world.keeps_sources = True
    world.delete_backup(taken)


def delete_a_snapshot_while_deleting(world: World) -> None:
    """The last one goes while its instance does, which may keep its volume for it."""
    taken = _quietly_taken(world)
    world.delete()
    world.when("volumes.retain", lambda: world.delete_backup(taken))


def delete_below_a_snapshot(world: World) -> None:
    """Its volume stays."""
    _quietly_taken(world)
    world.delete()


def reclaim_below_a_snapshot(world: World) -> None:
    """It is out of the bin, and its volume stays."""
    _quietly_taken(world)
    with _quietly(world):
        world.delete(keep=DAYS)
    world.reclaim()


def restore_a_snapshot(world: World) -> None:
    """Of an instance that is gone."""
    taken = _quietly_taken(world)
    with _quietly(world):
        world.delete()
    world.create(restore=taken)


def restore_a_snapshot_in_vain(world: World) -> None:
    """The volume has not what it must."""
    restore_a_snapshot(world)
    world.guests.cannot = ("/adopt",)


def verify_a_snapshot(world: World) -> None:
    """Of an instance that is gone."""
    taken = _quietly_taken(world)
    with _quietly(world):
        world.delete()
    world.verify(taken)


def _quietly_taken(world: World) -> str:
    _quietly_created(world)
    with _quietly(world):
        return world.back_up(driver=SNAPSHOT)


def delete_while_backing_up(world: World) -> None:
    """The delete comes when the guest has its job already, and wins."""
    back_up(world)
    world.when("guest.back_up", world.delete)


def export(world: World) -> None:
    _quietly_created(world)
    world.export()


def export_in_vain(world: World) -> None:
    """The engine's tool does not end well."""
    export(world)
    world.guests.cannot = ("/export",)


def export_of_a_liar(world: World) -> None:
    """The guest says that all is there, and one part is not."""
    export(world)
    world.guests.savers.lies = "no part"


def delete_while_exporting(world: World) -> None:
    """The delete comes when the guest has its job already, and wins."""
    export(world)
    world.when("guest.export", world.delete)


def load_dump(world: World) -> None:
    _quietly_created(world)
    world.load_dump()


def load_dump_in_vain(world: World) -> None:
    """The engine's client does not take it: the guest is asked to take it away."""
    load_dump(world)
    world.guests.cannot = ("/load_dump",)


def delete_while_loading_a_dump(world: World) -> None:
    """The delete comes when the guest has its job already, and wins."""
    load_dump(world)
    world.when("guest.load_dump", world.delete)


def delete_a_backup(world: World) -> None:
    """With the one that stands on it."""
    full = _quietly_backed_up(world)
    increment = _quietly_backed_up(world, full)
    world.delete_backup(increment, full)


def restore(world: World) -> None:
    """Of a chain of two, of an instance that is gone."""
    full = _quietly_backed_up(world)
    increment = _quietly_backed_up(world, full)
    with _quietly(world):
        world.delete()
    world.create(restore=increment)


def restore_in_vain(world: World) -> None:
    """The engine's tool does not take what it gets."""
    restore(world)
    world.guests.cannot = ("/restore",)


def verify(world: World) -> None:
    """Of a chain of two, of an instance that is gone."""
    full = _quietly_backed_up(world)
    increment = _quietly_backed_up(world, full)
    with _quietly(world):
        world.delete()
    world.verify(increment)


def verify_in_vain(world: World) -> None:
    """The engine's tool does not take what it gets."""
    verify(world)
    world.guests.cannot = ("/restore",)


def verify_what_is_sick(world: World) -> None:
    """It is restored, and the engine's checker finds something."""
    verify(world)
    world.guests.cannot = ("/check_data",)


def verify_rows(world: World) -> None:
    """Of an increment whose rows were hashed when it was made."""
    full = _quietly_backed_up(world)
    increment = _quietly_backed_up(world, full, rows=True)
    with _quietly(world):
        world.delete()
    world.verify(increment)


def verify_other_rows(world: World) -> None:
    """It is restored, and a row of it is another."""
    verify_rows(world)
    world.guests.cannot = ("/check_rows",)


def verify_rows_by_an_older_release(world: World) -> None:
    """The agent of the image hashes no rows: all else is as it must be."""
    verify_rows(world)
    world.guests.unknown = ("/check_rows",)


def back_up_rows(world: World) -> None:
    """The agent is to hash them."""
    _quietly_created(world)
    world.back_up(rows=True)


def back_up_rows_by_an_older_release(world: World) -> None:
    """The agent does not know of that: it makes a backup, and that is all."""
    back_up_rows(world)
    world.guests.savers.lies = "no rows"


def verify_what_was_changed(world: World) -> None:
    """Somebody wrote to the store: there is no server for it."""
    verify(world)
    world.store.spoil(Names(PROJECT, world.backup).manifest)


def verify_by_an_older_release(world: World) -> None:
    """The agent of the image knows of no such order."""
    verify(world)
    world.guests.unknown = ("/check_data",)


def verify_by_one_that_falls_silent(world: World) -> None:
    """The broker knows its guest no more, in the middle of it."""
    verify(world)
    world.when("guest.allow", world.users.there.clear)


def delete_while_verifying(world: World) -> None:
    """An administrator deletes the server's instance, and the delete wins."""
    verify(world)
    world.when("guest.restore", world.delete)


def restore_to_a_moment(world: World) -> None:
    """Of a chain of two and the log behind it, of an instance that is gone."""
    full = _quietly_backed_up(world)
    increment = _quietly_backed_up(world, full)
    archive = world.archived()
    with _quietly(world):
        world.delete()
    world.create(restore=increment, replay=Replay(archive, 1_000_100.0))


def restore_to_a_moment_in_vain(world: World) -> None:
    """The log ends before what was asked for, by the guest's word."""
    restore_to_a_moment(world)
    world.guests.cannot = ("/restore",)


def delete_while_restoring_to_a_moment(world: World) -> None:
    """The delete comes when the guest has its job already, and wins."""
    restore_to_a_moment(world)
    world.when("guest.restore", world.delete)


def restore_beyond_the_log(world: World) -> None:
    """What was asked for is not in the archive (any more)."""
    full = _quietly_backed_up(world)
    archive = world.archived()
    with _quietly(world):
        world.delete()
    world.create(restore=full, replay=Replay(archive, 2_000_000.0))


def restart(world: World) -> None:
    _quietly_created(world)
    world.restart()


def configure(world: World) -> None:
    _quietly_created(world)
    world.configure()


def delete_while_configuring(world: World) -> None:
    """The delete comes when the guest has its job already."""
    _quietly_created(world)
    world.configure()
    world.when("guest.configure", world.delete)


def resize_volume(world: World) -> None:
    _quietly_created(world)
    world.resize_volume()


def resize_offline(world: World) -> None:
    """The cloud grows no volume that a server has."""
    _quietly_created(world)
    world.resize_offline()


def resize_offline_in_vain(world: World) -> None:
    """The database does not come up with the larger volume: it runs as before."""
    _quietly_created(world)
    world.resize_offline()
    world.guests.cannot = ("/start_database",)


def delete_while_resizing_offline(world: World) -> None:
    """The delete comes when nobody has the volume."""
    _quietly_created(world)
    world.resize_offline()
    world.when("compute.detach", world.delete)


def delete_while_resizing(world: World) -> None:
    """The delete comes when the volume is growing."""
    _quietly_created(world)
    world.resize_volume()
    world.when("volumes.extend", world.delete)


def reboot(world: World) -> None:
    _quietly_created(world)
    world.reboot()


def delete_while_rebooting(world: World) -> None:
    """The delete comes when the server was asked to reboot."""
    _quietly_created(world)
    world.reboot()
    world.when("compute.reboot", world.delete)


def reboot_of_a_server_that_is_off(world: World) -> None:
    """It cannot be asked."""
    _quietly_created(world)
    world.reboot()
    world.servers_are("SHUTOFF")


def stop(world: World) -> None:
    _quietly_created(world)
    world.stop()


def discard_a_copy(world: World) -> None:
    _quietly_created(world)
    world.discard()


def resize_flavor(world: World) -> None:
    _quietly_created(world)
    world.resize_flavor()


def resize_flavor_in_vain(world: World) -> None:
    """The database does not come up with its new size."""
    _quietly_created(world)
    world.resize_flavor()
    world.guests.cannot = ("/restart_database",)


def resize_flavor_that_is_kept(world: World) -> None:
    """It does not, and the cloud has confirmed the size, and does not take it back."""
    resize_flavor_in_vain(world)
    world.cloud.world.keeps_sizes = True


def delete_while_resizing_flavor(world: World) -> None:
    """The delete comes when the server has its new size, not confirmed."""
    _quietly_created(world)
    world.resize_flavor()
    world.when("guest.restart_database", world.delete)


def change_access(world: World) -> None:
    _quietly_created(world)
    world.change_access()


def change_ssl(world: World) -> None:
    _quietly_created(world)
    world.change_ssl()


def change_ssl_in_vain(world: World) -> None:
    """The guest does not serve with it, and says so."""
    _quietly_created(world)
    world.change_ssl()
    world.guests.cannot = ("/change_tls",)


def delete_while_changing_ssl(world: World) -> None:
    """The delete comes when the guest has its job already."""
    _quietly_created(world)
    world.change_ssl()
    world.when("guest.change_tls", world.delete)


def create_public(world: World) -> None:
    world.access = PUBLIC
    world.create()


def create_apart(world: World) -> None:
    world.locality = "anti-affinity"
    world.create()


def delete_apart(world: World) -> None:
    world.locality = "anti-affinity"
    _quietly_created(world)
    world.delete()


def create_on_a_port(world: World) -> None:
    """Of the user's, whose address it has."""
    world.lend()
    world.create()


def create_on_a_port_that_is_bound(world: World) -> None:
    """By the user, before ours is made."""
    world.lend()
    world.create()
    world.when("network.make_group", world.bind)


def delete_on_a_port(world: World) -> None:
    world.lend()
    _quietly_created(world)
    world.delete()


def make_public(world: World) -> None:
    _quietly_created(world)
    world.show_to_all(True)


def make_private(world: World) -> None:
    world.access = PUBLIC
    _quietly_created(world)
    world.show_to_all(False)


def delete_public(world: World) -> None:
    world.access = PUBLIC
    _quietly_created(world)
    world.delete()


def delete_while_making_public(world: World) -> None:
    _quietly_created(world)
    world.show_to_all(True)
    world.when("network.create_floating_ip", world.delete)


def create_with_a_module(world: World) -> None:
    world.create(world.module(TAKEN))


def create_with_a_module_in_vain(world: World) -> None:
    """Its driver refuses it: without it, this is not what was ordered."""
    world.create(world.module(REFUSED))


def apply_a_module(world: World) -> None:
    world.module(TAKEN)
    _quietly_created(world)
    world.apply_module()


def apply_a_module_in_vain(world: World) -> None:
    """Its driver refuses it: its state says so."""
    world.module(REFUSED)
    _quietly_created(world)
    world.apply_module()


def apply_a_module_that_breaks(world: World) -> None:
    """Its driver dies of it."""
    world.module(TAKEN)
    _quietly_created(world)
    world.apply_module()
    world.guests.cannot = (f".{TAKEN[:8]}",)


def delete_while_applying_a_module(world: World) -> None:
    world.module(TAKEN)
    _quietly_created(world)
    world.apply_module()
    world.when("guest.apply_module", world.delete)


def take_a_module_away(world: World) -> None:
    _quietly_created(world, world.module(TAKEN))
    world.remove_module()


def apply_a_module_everywhere(world: World) -> None:
    _quietly_created(world, world.module(TAKEN))
    world.module(REFUSED)  # other contents
    world.reapply_module()


def delete_while_applying_a_module_everywhere(world: World) -> None:
    _quietly_created(world, world.module(TAKEN))
    world.reapply_module()
    world.when("guest.apply_module", world.delete)


def apply_a_module_everywhere_while_it_restarts(world: World) -> None:
    """It is busy when its turn comes."""
    _quietly_created(world, world.module(TAKEN))
    world.restart()
    world.reapply_module()


def upgrade(world: World) -> None:
    """Of an instance that has a module."""
    _quietly_created(world, world.module(TAKEN))
    world.upgrade()


def upgrade_in_vain(world: World) -> None:
    """The new version makes no database of the data."""
    _quietly_created(world, world.module(TAKEN))
    world.upgrade()
    world.guests.cannot = ("/prepare",)


def upgrade_without_a_copy(world: World) -> None:
    """There is no room for one: nothing was changed."""
    _quietly_created(world)
    world.upgrade()
    world.guests.cannot = ("/keep_data",)


def upgrade_and_no_way_back(world: World) -> None:
    """Neither version makes a database of them; they are on the volume."""
    _quietly_created(world)
    world.upgrade()
    world.guests.cannot = ("/prepare", "/prepare.back")


def carry_over(world: World) -> None:
    """The new version takes what the old one says."""
    _quietly_created(world, world.module(TAKEN))
    world.upgrade(carries=True)


def carry_over_in_vain(world: World) -> None:
    """What it made of it is not the same."""
    _quietly_created(world, world.module(TAKEN))
    world.upgrade(carries=True)
    world.guests.cannot = ("/load_data",)


def carry_over_what_cannot_be(world: World) -> None:
    """The old version has something that cannot be said: nothing was changed."""
    _quietly_created(world)
    world.upgrade(carries=True)
    world.guests.cannot = ("/unload_data",)


def carry_over_with_an_old_agent(world: World) -> None:
    """Its release does not know the order: sent forty times, so not among the flows
    that are walked with a death at each of their writes."""
    _quietly_created(world)
    world.upgrade(carries=True)
    world.guests.unknown = ("/unload_data",)


def rebuild(world: World) -> None:
    _quietly_created(world)
    world.rebuild()


def delete_while_rebuilding(world: World) -> None:
    """The delete comes when the server is built anew."""
    _quietly_created(world)
    world.rebuild()
    world.when("compute.rebuild", world.delete)


def migrate(world: World) -> None:
    _quietly_created(world)
    world.migrate()


def migrate_in_vain(world: World) -> None:
    """The database does not come up on the other host."""
    _quietly_created(world)
    world.migrate()
    world.guests.cannot = ("/restart_database",)


def _quietly_created(world: World, *modules: str) -> None:
    with _quietly(world):
        world.create(*modules)


def _quietly_recycled(world: World, *modules: str) -> None:
    _quietly_created(world, *modules)
    with _quietly(world):
        world.delete(keep=DAYS)


@contextlib.contextmanager
def _quietly(world: World) -> typing.Iterator[None]:
    """What is accepted in the block is carried out with no fault and no crash."""
    armed, fault = world.armed, world.fault
    world.armed, world.fault = [], None
    yield
    world.run()
    world.armed, world.fault, world.ticks = armed, fault, 0
    world.calls.clear()


def _quietly_backed_up(
    world: World, parent: str | None = None, rows: bool = False
) -> str:
    if parent is None:
        _quietly_created(world)
    with _quietly(world):
        return world.back_up(parent, rows=rows)


FLOWS = {
    f.__name__: f
    for f in (
        create,
        delete,
        delete_to_the_bin,
        delete_after_a_last_backup,
        delete_after_a_last_backup_to_the_bin,
        delete_after_a_last_backup_in_vain,
        delete_after_a_last_backup_to_the_bin_in_vain,
        delete_while_a_last_backup_is_made,
        undelete,
        undelete_on_a_port,
        undelete_what_was_growing,
        undelete_in_vain,
        undelete_again,
        delete_to_the_bin_while_undeleting,
        delete_while_undeleting,
        reclaim,
        delete_while_building,
        delete_when_booted,
        delete_while_booting,
        restart,
        configure,
        delete_while_configuring,
        resize_volume,
        delete_while_resizing,
        resize_offline,
        resize_offline_in_vain,
        delete_while_resizing_offline,
        reboot,
        delete_while_rebooting,
        reboot_of_a_server_that_is_off,
        stop,
        discard_a_copy,
        resize_flavor,
        resize_flavor_in_vain,
        resize_flavor_that_is_kept,
        delete_while_resizing_flavor,
        change_access,
        change_ssl,
        change_ssl_in_vain,
        delete_while_changing_ssl,
        create_public,
        create_apart,
        delete_apart,
        create_on_a_port,
        create_on_a_port_that_is_bound,
        delete_on_a_port,
        make_public,
        make_private,
        delete_public,
        delete_while_making_public,
        create_with_a_module,
        create_with_a_module_in_vain,
        apply_a_module,
        apply_a_module_in_vain,
        apply_a_module_that_breaks,
        delete_while_applying_a_module,
        take_a_module_away,
        apply_a_module_everywhere,
        delete_while_applying_a_module_everywhere,
        apply_a_module_everywhere_while_it_restarts,
        upgrade,
        upgrade_in_vain,
        upgrade_without_a_copy,
        upgrade_and_no_way_back,
        carry_over,
        carry_over_in_vain,
        carry_over_what_cannot_be,
        rebuild,
        delete_while_rebuilding,
        migrate,
        migrate_in_vain,
        back_up,
        back_up_with_a_key_manager,
        back_up_in_vain,
        back_up_in_full_instead,
        back_up_of_a_liar,
        back_up_without_its_log,
        delete_while_backing_up,
        snapshot,
        snapshot_in_vain,
        snapshot_too_late,
        delete_while_taking_a_snapshot,
        delete_a_snapshot,
        delete_a_snapshot_that_is_kept,
        delete_a_snapshot_while_deleting,
        delete_below_a_snapshot,
        reclaim_below_a_snapshot,
        restore_a_snapshot,
        restore_a_snapshot_in_vain,
        verify_a_snapshot,
        delete_a_backup,
        restore,
        restore_in_vain,
        verify,
        verify_in_vain,
        verify_what_is_sick,
        verify_rows,
        verify_other_rows,
        back_up_rows,
        verify_what_was_changed,
        delete_while_verifying,
        restore_to_a_moment,
        restore_to_a_moment_in_vain,
        delete_while_restoring_to_a_moment,
        restore_beyond_the_log,
        export,
        export_in_vain,
        export_of_a_liar,
        delete_while_exporting,
        load_dump,
        load_dump_in_vain,
        delete_while_loading_a_dump,
    )
}
"""What was accepted, in whatever state; then the taskmanagers run."""

BESIDE = frozenset(
    story.__name__
    for story in (
        delete_after_a_last_backup_to_the_bin,
        delete_after_a_last_backup_in_vain,
        delete_after_a_last_backup_to_the_bin_in_vain,
        delete_while_a_last_backup_is_made,
        undelete_on_a_port,
        undelete_what_was_growing,
        undelete_in_vain,
        undelete_again,
        delete_to_the_bin_while_undeleting,
        delete_while_undeleting,
        back_up_with_a_key_manager,
        snapshot_in_vain,
        snapshot_too_late,
        delete_while_taking_a_snapshot,
        delete_a_snapshot_that_is_kept,
        delete_a_snapshot_while_deleting,
        delete_below_a_snapshot,
        reclaim_below_a_snapshot,
        restore_a_snapshot_in_vain,
        verify_a_snapshot,
        verify_in_vain,
        verify_what_is_sick,
        verify_other_rows,
        delete_while_verifying,
        restore_to_a_moment_in_vain,
        delete_while_restoring_to_a_moment,
        export_in_vain,
        delete_while_exporting,
        load_dump_in_vain,
        delete_while_loading_a_dump,
    )
)
"""Stories that make the calls of another one, which meets every fault at each of them.
These meet every crash, and the faults with ``--long``."""

LIKE = {
    **dict.fromkeys(
        (
            story.__name__
            for story in (
                create_public,
                create_apart,
                create_on_a_port,
                create_with_a_module,
                create_with_a_module_in_vain,
                restore,
                restore_in_vain,
                restore_to_a_moment,
                restore_a_snapshot,
                verify,
                undelete,
            )
        ),
        create.__name__,
    ),
    **dict.fromkeys(
        (
            story.__name__
            for story in (
                delete_public,
                delete_apart,
                delete_on_a_port,
                delete_to_the_bin,
                delete_after_a_last_backup,
            )
        ),
        delete.__name__,
    ),
    verify_rows.__name__: verify.__name__,
    back_up_rows.__name__: back_up.__name__,
}
"""Stories that make another one's calls, and some of their own. At their own they meet
every fault; at the others, where the other one does, only that which turns back, for
what is undone then is theirs too; and the rest with ``--long``."""

ERRORS = (
    ("passing", False),
    ("unknown", True),
    ("refused", False),
    ("conflict", False),
    ("bug", False),
)

PUBLIC = {"is_public": True, "allowed_cidrs": []}

MAKERS = (
    "users.add",
    "network.make_group",
    "network.set_rules",
    "network.create_port",
    "volumes.create",
    "compute.boot",
    "guest.prepare",
)


def one(
    flow: str,
    fault: Fault | None = None,
    *bombs: int,
    flows: dict[str, Flow] | None = None,
) -> World:
    """Plays one story to its end, and checks what must hold.

    ``bombs``: the ticks at which the taskmanager dies, each from the death before.
    """
    world = World(fault, *bombs)
    world.flows = flows or world.flows
    FLOWS[flow](world)
    world.run()
    world.check()
    return world


@functools.cache
def quiet(flow: str) -> tuple[int, tuple[str, ...]]:
    """The flow with no fault and no crash: its ticks and its calls."""
    world = one(flow)
    return world.ticks, tuple(world.calls)


def played(flow: str, everything: bool) -> list[Fault | None]:
    """The faults of a story that a run plays."""
    if everything:
        return faults(flow)
    if flow in BESIDE:
        return [None]
    shared = quiet(LIKE[flow])[1] if flow in LIKE else ()
    return [
        fault
        for fault in faults(flow)
        if fault is None or fault.call not in shared or fault.error == "refused"
    ]


def faults(flow: str) -> list[Fault | None]:
    """None, and each error at each call the flow makes; a final one also for ever."""
    found: list[Fault | None] = [None]
    for call in dict.fromkeys(quiet(flow)[1]):
        found += [Fault(call, error, after) for error, after in ERRORS]
        # a cloud that refuses to be *read* for ever cannot be left in order either
        if flow == "create" and call in MAKERS:
            found.append(Fault(call, "refused", False, times=None))
    return found
