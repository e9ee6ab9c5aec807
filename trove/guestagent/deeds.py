# SPDX-License-Identifier: Apache-2.0
"""What a job does: prepare, restart, stop, and take up again after a boot.

Each deed is an *ensure*: it may be run again from its beginning whatever of it was done
before, so a job whose process died is simply run once more.
"""

import contextlib
import dataclasses
import logging
import typing

from trove import errors
from trove.datastores.protocol import Account, Database, Health, Sizing
from trove.guestagent import (
    adopting,
    carried,
    dumping,
    encryption,
    freezing,
    identity,
    saving,
)
from trove.guestagent.desk import (
    Desk,
    Result,
    configured,
    make_volume,
    mounted,
    must_be_prepared,
    plan_of,
)
from trove.guestagent.disks import Disks
from trove.guestagent.keeps import Keeps
from trove.guestagent.modules import deeds as modules
from trove.rpc import codec
from trove.rpc.messages import Group, Plan

LOG = logging.getLogger(__name__)

TAKE_UP = 20 * 60
"""The longest that a database is taken up, in seconds."""


class NotTaken(errors.EngineFailed):
    """A new configuration did not work; the one before does."""

    sentence = "{why}; it runs with the configuration before"


def prepare(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """Becomes what the plan says: volume, engine, databases, accounts, health."""
    plan = plan_of(desk, arguments)
    accounts = _accounts(desk, plan)
    desk.progress(5, "order read")
    make_volume(desk, plan)
    desk.progress(20, "volume mounted")
    if plan.copy:
        Keeps(desk.host, desk.guest.data).resume(plan.copy, plan.back, desk.guest.user)
    _initialised(desk, plan)
    desk.note(run=True)
    desk.engine.start()
    if plan.copy and not plan.back:
        desk.engine.upgrade()
    desk.progress(75, "engine started")
    desk.engine.accounts.create_databases(
        [Database(one.name, one.character_set, one.collate) for one in plan.databases]
    )
    desk.progress(80, "databases made")
    desk.engine.accounts.create_accounts(accounts)
    encryption.settle_in(desk)
    desk.progress(90, "accounts made")
    health = desk.until_healthy(120)
    desk.engine.keep_group()
    desk.note(prepared=True)
    volume = desk.course.volume
    return {"version": health.version, "volume": volume.uuid if volume else None}


def _initialised(desk: Desk, plan: Plan) -> None:
    """The engine is configured and has its data directory, a new one if there is none.

    It was not started.
    """
    sizing, tls = configured(desk, plan)
    desk.progress(30, "engine configured")
    desk.engine.initialise(sizing, tls)
    desk.progress(60, "engine initialised")


def _accounts(desk: Desk, plan: Plan) -> list[Account]:
    """The users of the plan, unsealed in this process's memory only."""
    if not plan.sealed:
        return []
    from trove.rpc import sealing  # only here: its library stays out of the agent

    private = identity.load(desk.places).private_key
    try:
        return [
            Account(
                name=str(user["name"]),
                host=str(user.get("host") or "%"),
                databases=tuple(str(name) for name in user.get("databases") or ()),
                password=str(user["password"]),
            )
            for user in sealing.unseal(private, plan.sealed)["users"]
        ]
    except (KeyError, TypeError, AttributeError):
        raise errors.Invalid(why="the sealed part names no users") from None


def configure(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """Has the values of a configuration group in force; tells which wait."""
    group: Group = codec.decode(Group, arguments["group"], "group")
    must_be_prepared(desk)
    mounted(desk)
    sizing = Sizing(memory=group.memory, vcpus=group.vcpus)
    waiting = desk.engine.regroup(sizing, group.values, group.server_id)
    return {"restart": list(waiting)}


def restart_database(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """Restarts the engine; done when it is healthy again.

    If it is not with the values of a new configuration group, it goes back to those
    before, and the job has failed.
    """
    must_be_prepared(desk)
    desk.note(run=True)
    mounted(desk)
    desk.progress(10, "volume mounted")
    health = _well(desk, desk.engine.restart, 300)
    return {"version": health.version}


def _well(desk: Desk, start: typing.Callable[[], None], within: float) -> Health:
    """Started and healthy; with the configuration before, if not with this one."""
    try:
        start()
        desk.progress(60, "engine started")
        health = desk.until_healthy(within)
    except errors.EngineFailed as failed:
        if not desk.engine.retreat():
            raise
        desk.engine.restart()
        desk.until_healthy(within)
        raise NotTaken(why=failed.message) from failed
    desk.engine.keep_group()
    return health


def stop_database(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """Stops the engine in good order; it stays stopped after a boot."""
    desk.note(run=False)
    desk.engine.stop()
    return {}


def take_up(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """After a start of the agent: the volume mounted, the engine as it shall be.

    A volume that is missing may be brought back: it is told, and waited for.
    """
    mounted(desk, patience=TAKE_UP - 2 * 60)
    desk.progress(30, "volume mounted")
    if desk.course.run and desk.course.prepared:
        _taken_up(desk)
    return {}


def _taken_up(desk: Desk) -> None:
    """A database that serves with an older configuration is better than none."""
    try:
        desk.engine.start()
    except errors.EngineFailed as failed:
        if not desk.engine.retreat():
            raise
        LOG.warning("%s; it is started with the configuration before", failed)
        desk.engine.start()


def grow(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """Makes the file system as large as its volume has become."""
    must_be_prepared(desk)
    mounted(desk)  # after a boot in the middle of it, nothing is

    @contextlib.contextmanager
    def stopped() -> typing.Iterator[None]:
        desk.engine.stop()
        try:
            yield
        finally:
            desk.engine.start()

    Disks(desk.host).grow(desk.guest.data, stopped=stopped)
    return {}


def renew_certificate(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """A wish that the agent sees when this job has ended, and until it is fulfilled."""
    must_be_prepared(desk)
    identity.want(desk.places)
    return {}


def change_tls(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """Serves with another certificate or in another mode; as before, if it does not."""
    must_be_prepared(desk)
    mounted(desk)
    return encryption.change(desk, arguments)


def keep_data(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """A copy of all that is on the volume, which nobody writes to."""
    must_be_prepared(desk)
    mounted(desk)
    desk.engine.stop()
    Keeps(desk.host, desk.guest.data).keep(str(arguments["copy"]))
    return {}


def unload_data(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """All that the engine says, beside the data."""
    must_be_prepared(desk)
    mounted(desk)
    copy = str(arguments["copy"])
    carried.unload(desk.engine, desk.host, desk.guest.data, copy)
    return {}


def load_data(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """Has a new data directory have what another version unloaded; it serves nobody.

    What that said is not needed any more then: the way back is the copy.
    """
    plan = plan_of(desk, arguments)
    make_volume(desk, plan)
    desk.progress(5, "volume mounted")
    if desk.course.loaded != plan.copy:
        carried.load(
            desk.engine,
            desk.host,
            desk.guest.data,
            plan.copy,
            desk.guest.user,
            lambda: _initialised(desk, plan),
        )
        desk.note(loaded=plan.copy)
    Keeps(desk.host, desk.guest.data).drop_carried(plan.copy)
    return {}


def forget_data(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """The copy is gone; the data themselves are not touched."""
    must_be_prepared(desk)
    mounted(desk)
    Keeps(desk.host, desk.guest.data).forget(str(arguments["copy"]))
    return {}


def apply_module(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """A module is in effect, or its driver has said why not."""
    must_be_prepared(desk)
    return modules.apply(desk.places, desk.guest.datastore, arguments)


def remove_module(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """A module is gone, or its driver has said why not."""
    must_be_prepared(desk)
    return modules.remove(desk.places, desk.guest.datastore, arguments)


@dataclasses.dataclass(frozen=True, slots=True)
class Deed:
    """A method, and the longest it may take in seconds."""

    do: typing.Callable[[Desk, dict[str, typing.Any]], Result]
    within: int


DEEDS: dict[str, Deed] = {
    "prepare": Deed(prepare, 25 * 60),
    "configure": Deed(configure, 5 * 60),
    "restart_database": Deed(restart_database, 20 * 60),
    "stop_database": Deed(stop_database, 16 * 60),
    "take_up": Deed(take_up, TAKE_UP),
    "grow_file_system": Deed(grow, 60 * 60),
    "renew_certificate": Deed(renew_certificate, 60),
    "change_tls": Deed(change_tls, 5 * 60),
    "keep_data": Deed(keep_data, 60 * 60),
    "forget_data": Deed(forget_data, 30 * 60),
    "unload_data": Deed(unload_data, 6 * 60 * 60),
    "load_data": Deed(load_data, 12 * 60 * 60),
    "back_up": Deed(saving.back_up, 40 * 60 * 60),
    "back_up_increment": Deed(saving.back_up, 40 * 60 * 60),
    "restore": Deed(saving.restore, 40 * 60 * 60),
    "restore_chain": Deed(saving.restore, 40 * 60 * 60),
    "freeze": Deed(freezing.freeze, 12 * 60),
    "thaw": Deed(freezing.thaw, 5 * 60),
    "adopt": Deed(adopting.adopt, 3 * 60 * 60),
    "check_data": Deed(saving.check, 13 * 60 * 60),
    "check_rows": Deed(saving.check_rows, 13 * 60 * 60),
    "export": Deed(dumping.export, 40 * 60 * 60),
    "load_dump": Deed(dumping.load, 40 * 60 * 60),
    "apply_module": Deed(apply_module, 15 * 60),
    "remove_module": Deed(remove_module, 15 * 60),
}
