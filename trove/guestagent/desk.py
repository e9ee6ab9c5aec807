# SPDX-License-Identifier: Apache-2.0
"""What a deed works with: the machine, the engine, how far the guest has come."""

import dataclasses
import importlib
import time
import typing

from trove import errors
from trove.datastores.protocol import Engine, Health, Sizing, Tls
from trove.guestagent import disks, identity, state
from trove.guestagent.disks import Disks, Volume
from trove.guestagent.host import Host
from trove.guestagent.places import Places
from trove.model.states import Service
from trove.rpc import codec
from trove.rpc.messages import Plan

Result = dict[str, typing.Any]


class NotHealthy(errors.EngineFailed):
    """The engine was started and did not become healthy."""

    sentence = "the database is {state} after {seconds} seconds: {said}"


@dataclasses.dataclass(slots=True)
class Desk:
    """What a deed works with."""

    places: Places
    host: Host
    progress: typing.Callable[[int, str], None]
    """How far it is, in percent, and what has just been done."""
    trouble: typing.Callable[[str], None] = lambda why: None
    """Says what the deed waits for that should be there."""
    so_far: typing.Callable[[dict[str, typing.Any]], None] = lambda facts: None
    """Tells the control plane something before the end."""
    attempt: int = 1
    """How often the job was begun."""
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


def plan_of(desk: Desk, arguments: dict[str, typing.Any]) -> Plan:
    """What it must become, which is of its datastore."""
    plan: Plan = codec.decode(Plan, arguments["plan"], "plan")
    if plan.datastore != desk.guest.datastore:
        raise errors.Invalid(
            why=f"this guest runs {desk.guest.datastore}, not {plan.datastore}"
        )
    return plan


def configured(desk: Desk, plan: Plan) -> tuple[Sizing, Tls]:
    """The engine has its configuration, which it took on trial; it was not started."""
    tls = identity.hand_out(desk.places, desk.host, desk.guest.user)
    sizing = Sizing(memory=plan.memory, vcpus=plan.vcpus)
    desk.engine.configure(sizing, tls, plan.group, plan.server_id)
    identity.taken(desk.places)
    return sizing, tls


def must_be_prepared(desk: Desk) -> None:
    """Raises ``errors.Conflict`` for a guest that is nothing yet."""
    if not desk.course.prepared:
        raise errors.Conflict("the guest has not been prepared yet")


def mounted(desk: Desk, patience: float = 60) -> None:
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


def make_volume(desk: Desk, plan: Plan) -> None:
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
