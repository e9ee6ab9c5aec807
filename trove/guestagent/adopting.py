# SPDX-License-Identifier: Apache-2.0
"""A volume that was made of another instance's snapshot becomes this instance's.

Its file system gets a name and an id of its own, and room; what was the other's alone
goes: what it kept for its upgrades, the certificate that its user brought. The engine
recovers the data when it is first started.
"""

import contextlib
import typing

from trove import errors
from trove.guestagent.desk import Desk, Result, plan_of
from trove.guestagent.disks import DiskError, Disks
from trove.guestagent.keeps import OURS, Keeps
from trove.guestagent.saving import DATA, UNPLAYED
from trove.rpc.messages import Plan

STAYS = "lost+found"
WORK = ("backup", "restore", UNPLAYED)
"""What a job of the other's may have left."""


def adopt(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """The data directory is what it was in ``source``, the instance that it is of."""
    plan = plan_of(desk, arguments)
    if desk.course.prepared:
        raise errors.Conflict("the guest has a database already")
    _mounted(desk, plan, str(arguments["source"]))
    desk.progress(30, "the volume is this instance's")
    Disks(desk.host).grow(desk.guest.data, stopped=contextlib.nullcontext)
    for name in sorted({*OURS, *WORK} - {STAYS}):
        desk.host.remove(f"{desk.guest.data}/{name}")
    if not desk.host.exists(f"{desk.guest.data}/{DATA}"):
        raise errors.Invalid(why="there are no data on the volume")
    Keeps(desk.host, desk.guest.data).hand_over("none", desk.guest.user)
    desk.engine.backups().taken_over()
    return {}


def _mounted(desk: Desk, plan: Plan, source: str) -> None:
    if plan.device is None:
        raise DiskError(device="data", why="the instance has none")
    machine = Disks(desk.host)
    found = machine.adopt(
        *(plan.device, desk.guest.instance, source, desk.guest.data),
        late=desk.trouble,
        clock=desk.clock,
        pause=desk.pause,
    )
    desk.trouble("")
    desk.note(volume=found)
    device = machine.ensure("", found, lambda volume: None, pause=desk.pause)
    machine.mount(device, found, desk.guest.data)
