# SPDX-License-Identifier: Apache-2.0
"""Containers: a server's LXC configuration, as text made from plain values."""

import dataclasses
import pathlib

CONTROLLERS = pathlib.Path("/sys/fs/cgroup/cgroup.controllers")
PERIOD = 100000


LEGACY = "systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"
"""In a container systemd takes its arguments for a kernel's: without these, one of
Debian 13 does not run on a host that has no cgroup v2 (systemd(1))."""


@dataclasses.dataclass(frozen=True, slots=True)
class Nic:
    """An interface of a server: its name on the host, and its place on the network."""

    interface: str
    bridge: str
    mac: str
    address: str
    gateway: str | None = None
    """``address`` with its prefix length; only one interface has a gateway."""


@dataclasses.dataclass(frozen=True, slots=True)
class Disk:
    """A block device of a server: the volume, and its name inside."""

    volume: str
    node: str
    number: str = ""
    """``major:minor``, known while the volume has a loop device."""


@dataclasses.dataclass(frozen=True, slots=True)
class Container:
    """All that a server's machine is made of. ``layers`` are topmost first."""

    name: str
    hostname: str
    directory: pathlib.Path
    layers: tuple[pathlib.Path, ...]
    memory: int
    vcpus: int
    nics: tuple[Nic, ...] = ()
    disks: tuple[Disk, ...] = ()

    @property
    def upper(self) -> pathlib.Path:
        """Where what the server changes of its root file system is kept."""
        return self.directory / "upper"

    @property
    def console(self) -> pathlib.Path:
        return self.directory / "console.log"


def unified() -> bool:
    """Whether this host has cgroup v2 alone."""
    return CONTROLLERS.exists()


def limits(memory: int, vcpus: int, v2: bool) -> list[tuple[str, str]]:
    """The control group's files and what they say, for a size of server."""
    quota = f"{vcpus * PERIOD}"
    if v2:
        return [("memory.max", f"{memory}M"), ("cpu.max", f"{quota} {PERIOD}")]
    return [
        ("memory.limit_in_bytes", f"{memory}M"),
        ("cpu.cfs_period_us", f"{PERIOD}"),
        ("cpu.cfs_quota_us", quota),
    ]


def render(container: Container, v2: bool) -> str:
    """The text of the container's configuration file."""
    lines = _machine(container, v2) + _confinement()
    prefix = "lxc.cgroup2" if v2 else "lxc.cgroup"
    for key, value in limits(container.memory, container.vcpus, v2):
        lines.append((f"{prefix}.{key}", value))
    for number, nic in enumerate(container.nics):
        lines += _interface(f"lxc.net.{number}", number, nic)
    if not container.nics:
        lines.append(("lxc.net.0.type", "empty"))
    for disk in container.disks:
        if disk.number:
            lines += _device(prefix, disk)
    return "".join(f"{key} = {value}\n" for key, value in lines)


def _machine(container: Container, v2: bool) -> list[tuple[str, str]]:
    layers = ":".join(str(layer) for layer in container.layers)
    return [
        ("lxc.include", "/usr/share/lxc/config/common.conf"),
        ("lxc.arch", "linux64"),
        ("lxc.uts.name", container.hostname),
        ("lxc.rootfs.path", f"overlay:{layers}:{container.upper}"),
        ("lxc.init.cmd", "/sbin/init" if v2 else f"/sbin/init {LEGACY}"),
        ("lxc.environment", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"),
        # systemd shuts down in order at this signal.
        ("lxc.signal.halt", "SIGRTMIN+3"),
        # LXC gives no /dev/shm, and PostgreSQL needs one.
        (
            "lxc.mount.entry",
            "tmpfs dev/shm tmpfs rw,nosuid,nodev,create=dir 0 0",
        ),
        ("lxc.console.logfile", str(container.console)),
        ("lxc.console.size", "1MB"),
        ("lxc.console.rotate", "1"),
        # A script would be handed arguments of LXC's own in version 0.
        ("lxc.hook.version", "1"),
    ]


def _confinement() -> list[tuple[str, str]]:
    # Where there is AppArmor: its stock profile that may mount breaks the sandboxes of
    # systemd's services. Without AppArmor these lines are ignored.
    return [
        ("lxc.apparmor.profile", "generated"),
        ("lxc.apparmor.allow_nesting", "1"),
        ("lxc.apparmor.raw", "mount fstype=ext4,"),
        ("lxc.apparmor.raw", "mount fstype=xfs,"),
        ("lxc.cap.drop", "sys_boot syslog"),
    ]


def _interface(prefix: str, number: int, nic: Nic) -> list[tuple[str, str]]:
    lines = [
        (f"{prefix}.type", "veth"),
        (f"{prefix}.link", nic.bridge),
        (f"{prefix}.flags", "up"),
        (f"{prefix}.name", f"eth{number}"),
        (f"{prefix}.veth.pair", nic.interface),
        (f"{prefix}.hwaddr", nic.mac),
        (f"{prefix}.ipv4.address", nic.address),
    ]
    if nic.gateway:
        lines.append((f"{prefix}.ipv4.gateway", nic.gateway))
    return lines


def _device(prefix: str, disk: Disk) -> list[tuple[str, str]]:
    # Made before the server's first process runs, so that it never has to wait for it.
    major, minor = disk.number.split(":")
    node = f"${{LXC_ROOTFS_MOUNT}}{disk.node}"
    return [
        (f"{prefix}.devices.allow", f"b {disk.number} rwm"),
        ("lxc.hook.autodev", f"mknod -m 660 {node} b {major} {minor}"),
    ]
