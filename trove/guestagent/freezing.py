# SPDX-License-Identifier: Apache-2.0
"""The data volume stands still while the cloud takes a snapshot of it.

``freeze`` ends when nothing is written any more, and ``thaw`` says whether that was so
all the time: the kernel takes an order to thaw only from what is frozen. That it thaws
hangs on nobody's word. A timer of systemd's, which is there before the freeze, thaws it
when its time is over, and again and again until it is told to stop: the agent may die,
its jobs, the broker, the whole control plane. (A freeze that took longer than its time
is thawed by the next stroke.)

What is on the volume then is what a power cut leaves, of one moment, with nothing of
the file system's under way; the engine recovers from it as from a power cut.
"""

import pathlib
import shutil
import typing

from trove import errors
from trove.guestagent.desk import Desk, Result, must_be_prepared
from trove.guestagent.saving import serving

UNIT = "trove-thaw"
LEAST, MOST = 5, 300
"""Seconds that a freeze may be asked to last, at the most."""
SYSTEMD = pathlib.Path("/run/systemd/system")
PROGRAM = "fsfreeze"
WRITTEN = 300.0
"""Seconds in which what the volume still has to write is written, before it is frozen:
the shorter is the freeze itself."""


def freeze(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """Nothing is written to the data's volume, for so many seconds at the most."""
    seconds = arguments["seconds"]
    if type(seconds) is not int or not LEAST <= seconds <= MOST:
        raise errors.Invalid(why=f"a freeze lasts {LEAST} to {MOST} seconds")
    must_be_prepared(desk)
    _thaw(desk)  # what an attempt of before has frozen
    serving(desk)
    point = desk.guest.data
    if desk.course.volume is None or not desk.host.is_mount(point):
        raise errors.Conflict("the data are not on a volume of their own")
    desk.engine.backups().settle()
    desk.host.run(["sync", "--file-system", point], timeout=WRITTEN)
    _guard(desk, seconds)
    try:
        desk.host.run([PROGRAM, "--freeze", point], timeout=seconds)
    except BaseException:
        _thaw(desk)
        raise
    return {"frozen": True}


def thaw(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """It is written to again; ``held``: it was not until now."""
    return {"held": _thaw(desk)}


def _guard(desk: Desk, seconds: int) -> None:
    """From now on it will be thawed, whoever lives."""
    program = shutil.which(PROGRAM)
    if program is None or not SYSTEMD.is_dir():
        why = "Holding a volume still, where nothing would let it go again,"
        raise errors.Unsupported(what=why)
    words = ["systemd-run", "--quiet", f"--unit={UNIT}"]
    words += [f"--on-active={seconds}s", f"--on-unit-inactive={seconds}s"]
    words += ["--timer-property=AccuracySec=100ms", "--", program, "--unfreeze"]
    desk.host.run([*words, desk.guest.data], timeout=30)


def _thaw(desk: Desk) -> bool:
    """Whether it was frozen until now. Nobody guards it any more then."""
    words = [PROGRAM, "--unfreeze", desk.guest.data]
    held = desk.host.run(words, check=False).returncode == 0
    names = [f"{UNIT}.timer", f"{UNIT}.service"]
    desk.host.run(["systemctl", "stop", *names], check=False)
    desk.host.run(["systemctl", "reset-failed", *names], check=False)
    return held
