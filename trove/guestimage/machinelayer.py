# SPDX-License-Identifier: Apache-2.0
"""The machine's layer: the root file system of a container, and what a machine needs.

It is the base layer with more packages (kernel, udev, cloud-init, ...), other masks and
a network; the other layers lie over it as they lie over the base.
"""

import glob
import pathlib
import shutil
import typing

from trove.guestimage import times
from trove.localcloud import guestimage, programs

PACKAGES = (
    "cloud-guest-utils",
    "cloud-init",
    "dbus",
    "initramfs-tools",
    "kmod",
    "linux-image-cloud-amd64",
    "lz4",
    "systemd-timesyncd",
    "udev",
)
SECURE_SHELL = ("openssh-server",)
"""Only where the operator gives a key."""

UNMASKED = {
    "systemd-logind.service": "the power button: a server is stopped in order by it",
    "systemd-sysctl.service": "the kernel is the machine's own, and Debian hardens it",
    "systemd-timesyncd.service": "the clock is the machine's own; certificates end",
}
"""What a container cannot have and a machine must."""

MASKED = {
    "cloud-config.service": "none of its modules is asked for; it costs a Python",
    "cloud-final.service": "none of its modules is asked for; it costs a Python",
    "cloud-init-hotplugd.service": "cards are the network daemon's",
    "cloud-init-hotplugd.socket": "cards are the network daemon's",
    "ldconfig.service": "the cache is in the image",
    "networking.service": "ifupdown has no cards here",
    "systemd-hwdb-update.service": "the hardware database is in the image",
    "systemd-journal-catalog-update.service": "the catalogue is in the image",
    "systemd-networkd-wait-online.service": "the agent waits for its broker itself",
    "systemd-update-done.service": "nothing waits for it that is not masked",
}
"""What a machine would start and a database's does not need: each costs processor time
at every boot, which under emulation is seconds."""

INITRD = ("ext4", "sd_mod", "virtio_blk", "virtio_pci", "virtio_scsi")
"""What finds the root disk; everything else is loaded from it."""

CLOUD_INIT = """\
#cloud-config
# Written by trove-guest-image.
datasource_list: [ConfigDrive, None]
network: {config: disabled}
users: []
disable_root: true
ssh_pwauth: false
ssh_deletekeys: false
preserve_hostname: false
apt_preserve_sources_list: true
cloud_init_modules: [seed_random, write_files, growpart, resizefs, set_hostname]
cloud_config_modules: []
cloud_final_modules: []
"""
NETWORK = """\
# Written by trove-guest-image.
[Match]
Type=ether
Kind=!*

[Network]
DHCP=yes

[DHCPv4]
ClientIdentifier=mac
UseHostname=no
UseMTU=yes
"""
AGENT = """\
# In a machine the agent waits for cloud-init, which writes its files, and what it says
# can be read where no network is needed: 'openstack console log show'.
[Unit]
After=cloud-init.service cloud-init-network.service

[Service]
StandardOutput=journal+console
StandardError=journal+console
"""
HOST_KEYS = """\
# No host key is in the image: each machine makes its own.
[Service]
ExecStartPre=
ExecStartPre=/usr/bin/ssh-keygen -A
ExecStartPre=/usr/sbin/sshd -t
"""
BEFORE = {
    "etc/initramfs-tools/conf.d/trove": "MODULES=list\nCOMPRESS=lz4\n",
    "etc/initramfs-tools/modules": "\n".join([*INITRD, ""]),
}
"""Files that the kernel's package finds when it makes its initrd."""

FILES = {
    "etc/cloud/cloud.cfg.d/99-trove.cfg": CLOUD_INIT,
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost\n",
    "etc/systemd/network/10-trove.network": NETWORK,
    "etc/systemd/system/trove-guestagent.service.d/machine.conf": AGENT,
    # From DHCP or the operator; by itself a guest speaks to nobody outside.
    "etc/systemd/timesyncd.conf.d/trove.conf": "[Time]\nFallbackNTP=\n",
}
WANTED = {
    "multi-user.target.wants/systemd-networkd.service": "systemd-networkd.service",
    "sockets.target.wants/systemd-networkd.socket": "systemd-networkd.socket",
    "sysinit.target.wants/systemd-timesyncd.service": "systemd-timesyncd.service",
}
GONE = (
    "dev/*",
    "etc/apt/sources.list.d/*",
    "etc/hostname",
    "etc/ssh/ssh_host_*",
    "etc/ssl/certs/ssl-cert-snakeoil.pem",
    "etc/ssl/private/ssl-cert-snakeoil.key",
    "initrd.img.old",
    "vmlinuz.old",
)
"""Keys that every machine would share, and what names this host."""

Progress = typing.Callable[[str], None]


def packages(secure_shell: bool) -> tuple[str, ...]:
    """What is installed beside what the base layer has."""
    return (*PACKAGES, *SECURE_SHELL) if secure_shell else PACKAGES


def recipe(secure_shell: bool) -> str:
    """What the layer is named after, beside its base."""
    tables = (UNMASKED, MASKED, BEFORE, FILES, HOST_KEYS, WANTED, GONE, 3)
    return repr((packages(secure_shell), *tables))


def make(
    root: pathlib.Path,
    base: pathlib.Path,
    suite: str,
    secure_shell: bool,
    host: programs.Runner,
    progress: Progress,
) -> None:
    """The layer, in ``root``."""
    wanted = packages(secure_shell)
    progress(f"machine: {len(wanted)} packages, kernel and cloud-init among them")
    host.run("cp", "--archive", "--", f"{base}/.", str(root), within=600)
    # mmdebstrap makes the devices, and takes none that are there already.
    remove(root, ("dev/*",))
    units = root / "etc/systemd/system"
    for unit in UNMASKED:
        (units / unit).unlink(missing_ok=True)
    write(root, BEFORE)
    epoch = times.newest(root)
    guestimage.install(root, suite, wanted, host, variant="custom", epoch=epoch)
    shadow = root / "etc/shadow"
    shadow.write_text(times.without_today(shadow.read_text(), epoch))
    for unit in MASKED:
        _link(units / unit, "/dev/null")
    for path, unit in WANTED.items():
        _link(units / path, f"/lib/systemd/system/{unit}")
    remove(root, GONE)
    write(root, {**guestimage.FILES, **FILES})
    if secure_shell:
        write(root, {"etc/systemd/system/ssh.service.d/keys.conf": HOST_KEYS})


def write(
    root: pathlib.Path, files: typing.Mapping[str, str], mode: int = 0o644
) -> None:
    """Writes files anew: one that is there may be a link to another layer's."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(mode)


def remove(root: pathlib.Path, patterns: typing.Iterable[str]) -> None:
    """Takes away what the patterns name below ``root``."""
    for pattern in patterns:
        # Not pathlib's, which does not see a link to what this host has not.
        for name in glob.glob(pattern, root_dir=root, include_hidden=True):
            path = root / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _link(path: pathlib.Path, to: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(to)
