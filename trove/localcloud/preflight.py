# SPDX-License-Identifier: Apache-2.0
"""Preflight: what this machine lacks, in sentences, before anything is changed."""

import ipaddress
import json
import os
import pathlib
import shutil
import socket

from trove.localcloud import layout, programs

PROGRAMS = {
    "lxc-start": "lxc",
    "ip": "iproute2",
    "nft": "nftables",
    "losetup": "util-linux",
    "mmdebstrap": "mmdebstrap",
    "mkfs.xfs": "xfsprogs",
}
SPACE = 6 << 30
FILE_SYSTEMS = pathlib.Path("/proc/filesystems")
CGROUPS = pathlib.Path("/sys/fs/cgroup")
LOOPS = pathlib.Path("/dev/loop-control")


def refusals(
    place: layout.Layout,
    host: programs.Runner,
    installed: bool = True,
    ports: tuple[int, ...] | None = None,
    space: int = SPACE,
) -> list[str]:
    """Why a local cloud cannot run here; empty when it can.

    ``installed`` False leaves out the programs that are still to be installed;
    ``ports`` are those that must be free, Keystone's and the cloud's by default;
    ``space`` is how many bytes the disk must still have.
    """
    if os.geteuid() != 0:
        # Everything else below needs root to be looked at.
        return ["The local cloud makes containers and devices: run it as root."]
    found = [*_control_groups(), *_kernel(host)]
    if installed:
        missing = _programs()
        found += missing or _network(host)
    if ports is None:
        ports = (place.cloud_port, place.keystone_port)
    return [*found, *_addresses(place, host), *_ports(ports), *_space(place, space)]


def warnings(place: layout.Layout, host: programs.Runner) -> list[str]:
    """What may keep guests from reaching this host, or one another."""
    found = []
    for chain, what in (("INPUT", "the broker"), ("FORWARD", "one another")):
        said = ""
        if _which("nft"):
            said = host.run("nft", "list", "chain", "ip", "filter", chain, ok=(0, 1))
        if "policy drop" in said:
            found.append(
                f"The firewall of this host drops {chain} by default; guests may not "
                f"reach {what}. Allow the interface {place.bridge} in it."
            )
    return found


def _which(program: str) -> str | None:
    return shutil.which(program, path=programs.PATH)


def _programs() -> list[str]:
    missing = {package for program, package in PROGRAMS.items() if not _which(program)}
    if not missing:
        return []
    return [f"These Debian packages are missing: {', '.join(sorted(missing))}."]


def _control_groups() -> list[str]:
    if (CGROUPS / "cgroup.controllers").exists() or (CGROUPS / "memory").is_dir():
        return []
    return [f"No control groups are mounted at {CGROUPS}."]


def _kernel(host: programs.Runner) -> list[str]:
    found = []
    for system in ("overlay", "xfs"):
        if not _has(system):
            _load(system, host)
        if not _has(system):
            found.append(f"The kernel has no {system} file system.")
    if not LOOPS.exists():
        _load("loop", host)
    if not LOOPS.exists():
        found.append(f"There are no loop devices ({LOOPS}).")
    return found


def _has(system: str) -> bool:
    return system in FILE_SYSTEMS.read_text().split()


def _load(module: str, host: programs.Runner) -> None:
    if _which("modprobe"):
        host.status("modprobe", module)


def _network(host: programs.Runner) -> list[str]:
    """Tried in a network name space of its own: nothing here changes."""
    rules = "add table bridge t; add chain bridge t c { type filter hook forward "
    rules += "priority 0; }"
    words = "ip", "link", "add"
    for argv, what in (
        (("nft", rules), "filter what passes a bridge (nftables, bridge family)"),
        ((*words, "b0", "type", "bridge"), "make a bridge"),
        ((*words, "v0", "type", "veth", "peer", "v1"), "make a veth pair"),
    ):
        if host.status("unshare", "--net", "--", *argv):
            return [f"The kernel cannot {what}."]
    return []


def _addresses(place: layout.Layout, host: programs.Runner) -> list[str]:
    try:
        wanted = ipaddress.IPv4Network(place.cidr)
    except ValueError:
        return [f"{place.cidr} is not a network."]
    if wanted.num_addresses < 8:
        return [f"The network {place.cidr} is too small for guests."]
    if not _which("ip"):
        return []
    for route in json.loads(host.run("ip", "-4", "-j", "route", "show") or "[]"):
        if route.get("dev") == place.bridge or route["dst"] == "default":
            continue
        known = ipaddress.IPv4Network(route["dst"], strict=False)
        if known.overlaps(wanted):
            return [
                f"The guests' network {place.cidr} is taken: {known} is on "
                f"{route.get('dev', 'another interface')}; choose another."
            ]
    return []


def _ports(ports: tuple[int, ...]) -> list[str]:
    found = []
    for port in ports:
        with socket.socket() as probe:
            # What lingers of an earlier process of ours is no hindrance.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                found.append(f"Port {port} of 127.0.0.1 is taken.")
    return found


def _space(place: layout.Layout, space: int) -> list[str]:
    there = next(path for path in (place.state, *place.state.parents) if path.exists())
    if shutil.disk_usage(there).free < space:
        return [f"Less than {space >> 30} GiB are free in {there}."]
    return []
