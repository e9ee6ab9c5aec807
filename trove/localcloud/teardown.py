# SPDX-License-Identifier: Apache-2.0
"""The end of a deployment: guests stopped, or everything gone; and what is left."""

import concurrent.futures
import pathlib
import shutil
import typing

from trove import errors
from trove.localcloud import assembly, layout, programs

MOUNTS = pathlib.Path("/proc/self/mounts")
CGROUPS = pathlib.Path("/sys/fs/cgroup")
PROCESSES = pathlib.Path("/proc")
Progress = typing.Callable[[str], None]


def down(
    place: layout.Layout, host: programs.Runner, progress: Progress = lambda text: None
) -> None:
    """Every guest shuts down, and the network goes; what they know is kept."""
    with assembly.alone(place):
        _stop(place, host, progress)
        _release(place, host)
        assembly.wires_of(place, host).down()
        _pivots(place, host)


def purge(
    place: layout.Layout, host: programs.Runner, progress: Progress = lambda text: None
) -> None:
    """Nothing of the deployment's machines is left. What is not ours is not touched."""
    with assembly.alone(place):
        machines = assembly.machines_of(place, host)
        for server in sorted(machines.all()):
            progress(f"server {server}: removed")
            machines.remove(server)
        for left in _release(place, host):
            progress(f"volume {left}: its device is still in use")
        assembly.wires_of(place, host).down()
        _pivots(place, host)
        shutil.rmtree(place.cloud, ignore_errors=True)
        shutil.rmtree(place.keystone, ignore_errors=True)
    for file in (
        place.clouds_yaml,
        place.etc / "passwords.json",
        place.run / "localcloud.lock",
    ):
        file.unlink(missing_ok=True)


def leaks(place: layout.Layout, host: programs.Runner) -> dict[str, list[str]]:
    """What of the deployment is on this host now; empty lists when nothing is."""
    machines = assembly.machines_of(place, host)
    wires = assembly.wires_of(place, host)
    state = f"{place.cloud}/"
    mounts = [line.split()[1] for line in MOUNTS.read_text().splitlines()]
    return {
        "containers": sorted(machines.active()),
        "servers": sorted(machines.all()),
        "volumes": sorted(assembly.disks_of(place, host).volumes()),
        "loops": sorted(assembly.disks_of(place, host).devices().values()),
        "interfaces": wires.interfaces() + ([place.bridge] if wires.present() else []),
        "tables": wires.tables(),
        "mounts": sorted(mount for mount in mounts if mount.startswith(state)),
        "cgroups": [str(path) for path in _groups(place)],
        "processes": _processes(place),
    }


def _stop(place: layout.Layout, host: programs.Runner, progress: Progress) -> None:
    machines = assembly.machines_of(place, host)
    active = sorted(machines.active())

    def stop(server: str) -> None:
        machines.stop(server)
        progress(f"server {server}: stopped")

    with concurrent.futures.ThreadPoolExecutor(4, "stop") as pool:
        list(pool.map(stop, active))


def _release(place: layout.Layout, host: programs.Runner) -> list[str]:
    """Every loop device goes; the volumes whose device is in use are returned."""
    disks = assembly.disks_of(place, host)
    left = []
    for volume in disks.devices():
        try:
            disks.release(volume)
        except (errors.TroveError, OSError):
            left.append(volume)
    return left


def _groups(place: layout.Layout) -> list[pathlib.Path]:
    """The control groups that LXC made for our containers."""
    found: list[pathlib.Path] = []
    for depth in ("", "*/"):
        for kind in ("payload", "monitor"):
            found += CGROUPS.glob(f"{depth}lxc.{kind}.{place.tag}-*")
    return sorted(found)


def _pivots(place: layout.Layout, host: programs.Runner) -> None:
    """The empty groups that LXC leaves: ours, and the shared one when nobody has it."""
    for group in _groups(place):
        _rmdir(group)
    if not [*CGROUPS.glob("lxc.payload.*"), *CGROUPS.glob("*/lxc.payload.*")]:
        for pivot in [*CGROUPS.glob("lxc.pivot"), *CGROUPS.glob("*/lxc.pivot")]:
            _rmdir(pivot)


def _rmdir(group: pathlib.Path) -> None:
    for child in group.iterdir():
        if child.is_dir():
            _rmdir(child)
    try:
        group.rmdir()
    except OSError:
        # Somebody is in it: leaks() shows it.
        return


def _processes(place: layout.Layout) -> list[str]:
    """The monitors of our containers."""
    wanted = f"[lxc monitor] {place.cloud / 'servers'} "
    found = []
    for process in PROCESSES.iterdir():
        if process.name.isdigit():
            try:
                said = (process / "cmdline").read_bytes()
            except OSError:
                continue
            line = said.replace(b"\0", b" ").decode(errors="replace").strip()
            if line.startswith(wanted):
                found.append(f"{process.name} {line}")
    return found
