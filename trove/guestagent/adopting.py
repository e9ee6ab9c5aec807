# SPDX-License-Identifier: Apache-2.0
"""A volume that was made of another instance's snapshot becomes this instance's.

Its file system gets a name and an id of its own, and room; what was the other's alone
goes: what it kept for its upgrades, the certificate that its user brought. The engine
recovers the data when it is first started.
"""

import contextlib
import typing
import uuid

from trove import errors
from trove.guestagent.desk import Desk, Result, plan_of
from trove.guestagent.disks import (
    MAKE,
    DiskError,
    Disks,
    Volume,
    Waiting,
    label_of,
)
from trove.guestagent.keeps import OURS, Keeps
from trove.guestagent.saving import DATA, UNPLAYED
from trove.rpc.messages import Plan

STAYS = "lost+found"
WORK = ("backup", "restore", UNPLAYED)
"""What a job of the other's may have left."""
MARK: dict[str, tuple[tuple[tuple[str, ...], tuple[int, ...]], ...]] = {
    "xfs": (
        (("xfs_admin", "-U", "{uuid}", "{device}"), (0,)),
        (("xfs_admin", "-L", "{label}", "{device}"), (0,)),
    ),
    "ext4": (
        (("e2fsck", "-f", "-p", "{device}"), (0, 1)),  # 1: errors were corrected
        (("tune2fs", "-U", "{uuid}", "-L", "{label}", "{device}"), (0,)),
    ),
}
"""Another id and another label, the label last; and what the programs may end with."""


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
    waiting = Waiting(60, desk.trouble, desk.clock, desk.pause)
    device = machine.wait_for(plan.device, "", waiting)
    desk.trouble("")
    volume = _renamed(desk, machine, device, source)
    desk.note(volume=volume)
    machine.mount(device, volume, desk.guest.data)


def _renamed(desk: Desk, machine: Disks, device: str, source: str) -> Volume:
    """The record of what was a volume of ``source`` and is this instance's now.

    Its label is changed last: one that has it already has all.
    """
    ours, found = label_of(desk.guest.instance), machine.signature(device)
    if found.label == ours and found.kind in MAKE:
        return Volume(found.uuid, ours, found.kind, made=True)
    if found.kind not in MAKE or found.label != label_of(source):
        what = f"{found.kind} {found.label}".strip() or "nothing"
        raise DiskError(device=device, why=f"it carries {what}, not the data")
    _settle(desk, machine, device, found.kind)
    made = str(uuid.uuid4())
    for words, ok in MARK[found.kind]:
        told = [word.format(label=ours, uuid=made, device=device) for word in words]
        desk.host.run(told, timeout=1800, ok=ok)
    after = machine.signature(device)
    if (after.uuid, after.label) != (made, ours):
        raise DiskError(device=device, why="it did not take a name of its own")
    return Volume(made, ours, found.kind, made=True)


def _settle(desk: Desk, machine: Disks, device: str, kind: str) -> None:
    """Its journal is played, by a mount: only then it may be marked."""
    point = desk.guest.data
    machine.unmount(point)
    desk.host.make_directory(point)
    # of an XFS the kernel may have one with the same id, in another machine
    options = "noatime,nodev,nosuid" + (",nouuid" if kind == "xfs" else "")
    words = ["mount", "-t", kind, "-o", options, "--", device, point]
    desk.host.run(words, timeout=300)
    machine.unmount(point)
