# SPDX-License-Identifier: Apache-2.0
"""What a job does: prepare, restart, stop, and take up again after a boot.

Each deed is an *ensure*: it may be run again from its beginning whatever of it was done
before, so a job whose process died is simply run once more.
"""

import contextlib
import dataclasses
import importlib
import logging
import time
import typing

from trove import errors
from trove.datastores.protocol import (
    Account,
    Database,
    Engine,
    Health,
    Sizing,
)
from trove.guestagent import carried, disks, encryption, identity, state
from trove.guestagent.disks import Disks, Volume
from trove.guestagent.host import Host
from trove.guestagent.keeps import Keeps
from trove.guestagent.modules import deeds as modules
from trove.guestagent.places import Places
from trove.model.states import Service
from trove.rpc import codec
from trove.rpc.messages import Group, Plan

LOG = logging.getLogger(__name__)

Result = dict[str, typing.Any]

TAKE_UP = 20 * 60
"""The longest that a database is taken up, in seconds."""


class NotHealthy(errors.EngineFailed):
    """The engine was started and did not become healthy."""

    sentence = "the database is {state} after {seconds} seconds: {said}"


class NotTaken(errors.EngineFailed):
    """A new configuration did not work; the one before does."""

    sentence = "{why}; it runs with the configuration before"


@dataclasses.dataclass(slots=True)
class Desk:
    """What a deed works with."""

    places: Places
    host: Host
    progress: typing.Callable[[int, str], None]
    """How far it is, in percent, and what has just been done."""
    trouble: typing.Callable[[str], None] = lambda why: None
    """Says what the deed waits for that should be there."""
    clock: typing.Callable[[], float] = time.monotonic
    pause: typing.Callable[[float], None] = time.sleep
    guest: state.Guest = dataclasses.field(init=False)
    course: state.Course = dataclasses.field(init=False)
    engine: Engine = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.guest = state.load_guest(self.places)
        self.course = state.load_course(self.places)
        self.engine = load_engine(self.guest.agent, self.host)

    def note(self, **fields: typing.Any) -> None:
        """Writes down how far the guest has come."""
        self.course = dataclasses.replace(self.course, **fields)
        state.save_course(self.places, self.course)

    def until_healthy(self, within: float) -> Health:
        """Waits for the engine's own write probe to pass."""
        until = self.clock() + within
        while True:
            health = self.engine.health()
            if health.state in (Service.HEALTHY, Service.READ_ONLY):
                return health
            if self.clock() >= until:
                raise NotHealthy(
                    state=health.state, seconds=int(within), said=health.why
                )
            self.pause(0.25)


def load_engine(agent: str, host: Host) -> Engine:
    """The engine that a datastore's agent package makes."""
    return typing.cast(Engine, importlib.import_module(agent).engine(host))


def prepare(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """Becomes what the plan says: volume, engine, databases, accounts, health."""
    plan = _plan(desk, arguments)
    accounts = _accounts(desk, plan)
    desk.progress(5, "order read")
    _volume(desk, plan)
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


def _plan(desk: Desk, arguments: dict[str, typing.Any]) -> Plan:
    plan: Plan = codec.decode(Plan, arguments["plan"], "plan")
    if plan.datastore != desk.guest.datastore:
        raise errors.Invalid(
            why=f"this guest runs {desk.guest.datastore}, not {plan.datastore}"
        )
    return plan


def _initialised(desk: Desk, plan: Plan) -> None:
    """The engine is configured and has its data directory, a new one if there is none.

    It was not started.
    """
    tls = identity.hand_out(desk.places, desk.host, desk.guest.user)
    sizing = Sizing(memory=plan.memory, vcpus=plan.vcpus)
    desk.engine.configure(sizing, tls, plan.group, plan.server_id)
    identity.taken(desk.places)
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


def _volume(desk: Desk, plan: Plan) -> None:
    """The file system, made once and mounted where the engine's data belongs."""
    if plan.device is None:
        return
    machine = Disks(desk.host)
    volume = desk.course.volume or machine.recognise(plan.device, desk.guest.instance)
    if volume is None and plan.copy:
        # where there must be data, nothing is made
        why = "it is not there, or not this instance's"
        raise disks.DiskError(device=plan.device, why=why)
    volume = volume or disks.new_volume(desk.guest.instance, plan.fstype)

    def record(volume: Volume) -> None:
        desk.note(volume=volume)

    device = machine.ensure(
        plan.device, volume, record, clock=desk.clock, pause=desk.pause
    )
    if desk.course.volume is None:
        record(volume)
    machine.mount(device, volume, desk.guest.data)


def configure(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """Has the values of a configuration group in force; tells which wait."""
    group: Group = codec.decode(Group, arguments["group"], "group")
    _must_be_prepared(desk)
    _mounted(desk)
    sizing = Sizing(memory=group.memory, vcpus=group.vcpus)
    waiting = desk.engine.regroup(sizing, group.values, group.server_id)
    return {"restart": list(waiting)}


def restart_database(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """Restarts the engine; done when it is healthy again.

    If it is not with the values of a new configuration group, it goes back to those
    before, and the job has failed.
    """
    _must_be_prepared(desk)
    desk.note(run=True)
    _mounted(desk)
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
    _mounted(desk, patience=TAKE_UP - 2 * 60)
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


def _must_be_prepared(desk: Desk) -> None:
    if not desk.course.prepared:
        raise errors.Conflict("the guest has not been prepared yet")


def _mounted(desk: Desk, patience: float = 60) -> None:
    """The volume at its place, if this guest has one that is whole."""
    volume = desk.course.volume
    if volume is None or not volume.made:
        return
    machine = Disks(desk.host)
    device = machine.ensure(
        "",
        volume,
        lambda volume: None,
        patience=patience,
        late=desk.trouble,
        clock=desk.clock,
        pause=desk.pause,
    )
    machine.mount(device, volume, desk.guest.data)
    desk.trouble("")


def grow(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """Makes the file system as large as its volume has become."""
    _must_be_prepared(desk)
    _mounted(desk)  # after a boot in the middle of it, nothing is

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
    _must_be_prepared(desk)
    identity.want(desk.places)
    return {}


def change_tls(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """Serves with another certificate or in another mode; as before, if it does not."""
    _must_be_prepared(desk)
    _mounted(desk)
    return encryption.change(desk, arguments)


def keep_data(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """A copy of all that is on the volume, which nobody writes to."""
    _must_be_prepared(desk)
    _mounted(desk)
    desk.engine.stop()
    Keeps(desk.host, desk.guest.data).keep(str(arguments["copy"]))
    return {}


def unload_data(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """All that the engine says, beside the data."""
    _must_be_prepared(desk)
    _mounted(desk)
    copy = str(arguments["copy"])
    carried.unload(desk.engine, desk.host, desk.guest.data, copy)
    return {}


def load_data(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """Has a new data directory have what another version unloaded; it serves nobody."""
    plan = _plan(desk, arguments)
    if desk.course.loaded == plan.copy:
        return {}
    _volume(desk, plan)
    desk.progress(5, "volume mounted")
    carried.load(
        desk.engine,
        desk.host,
        desk.guest.data,
        plan.copy,
        desk.guest.user,
        lambda: _initialised(desk, plan),
    )
    desk.note(loaded=plan.copy)
    return {}


def forget_data(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """The copy is gone; the data themselves are not touched."""
    _must_be_prepared(desk)
    _mounted(desk)
    Keeps(desk.host, desk.guest.data).forget(str(arguments["copy"]))
    return {}


def apply_module(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """A module is in effect, or its driver has said why not."""
    _must_be_prepared(desk)
    return modules.apply(desk.places, desk.guest.datastore, arguments)


def remove_module(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """A module is gone, or its driver has said why not."""
    _must_be_prepared(desk)
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
    "apply_module": Deed(apply_module, 15 * 60),
    "remove_module": Deed(remove_module, 15 * 60),
}
