# SPDX-License-Identifier: Apache-2.0
"""A machine for a test: QEMU without KVM, a config drive, and a broker's port.

What Nova gives a server, in small. Emulation is slow: whoever waits, waits for what the
console says or for who connects, and for minutes.
"""

import contextlib
import json
import pathlib
import queue
import socket
import subprocess
import threading
import time
import typing

PROGRAMS = ("genisoimage", "qemu-img", "qemu-system-x86_64")
HOST = "10.0.2.2"
"""This host, as QEMU's own network shows it to the machine."""


def config_drive(work: pathlib.Path, user_data: str, uuid: str) -> pathlib.Path:
    """A drive such as Nova makes."""
    latest = work / "drive/openstack/latest"
    latest.mkdir(parents=True)
    metadata = {"uuid": uuid, "hostname": "db-one", "name": "db-one", "launch_index": 0}
    (latest / "meta_data.json").write_text(json.dumps(metadata))
    (latest / "user_data").write_text(user_data)
    drive = work / "drive.iso"
    label = ["-quiet", "-R", "-J", "-V", "config-2", "-o", str(drive)]
    subprocess.run(["genisoimage", *label, str(work / "drive")], check=True)
    return drive


class Port:
    """A port of this host; it tells who connected, and answers nobody."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.number = self._socket.getsockname()[1]
        self._heard: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._socket.accept()
                with caller, contextlib.suppress(OSError):
                    caller.settimeout(10)
                    self._heard.put(caller.recv(3))

    def heard(self, within: float) -> bytes:
        """The first bytes of the first one that calls."""
        return self._heard.get(timeout=within)

    def close(self) -> None:
        self._socket.close()


class Machine:
    """Runs until it is turned off, or closed."""

    def __init__(
        self, work: pathlib.Path, image: pathlib.Path, drive: pathlib.Path
    ) -> None:
        disk = work / "disk.qcow2"
        made = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"]
        subprocess.run([*made, str(image), str(disk)], check=True)
        self._console = work / "console.log"
        self._monitor = work / "monitor"
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            [
                "qemu-system-x86_64",
                *("-accel", "tcg,thread=multi,tb-size=256"),
                *("-m", "1024", "-display", "none", "-no-reboot"),
                *("-serial", f"file:{self._console}"),
                *("-monitor", f"unix:{self._monitor},server,nowait"),
                *("-drive", f"file={disk},if=virtio,format=qcow2,cache=unsafe"),
                *("-drive", f"file={drive},media=cdrom,readonly=on"),
                *("-nic", "user,model=virtio-net-pci"),
                *("-device", "virtio-rng-pci"),
            ],
            stdin=subprocess.DEVNULL,
        )

    @property
    def console(self) -> str:
        """All that it has said."""
        with contextlib.suppress(FileNotFoundError):
            return self._console.read_text(errors="replace")
        return ""

    def says(self, words: str, within: float) -> float:
        """Waits until the console says it; after how many seconds that was."""
        ends = time.monotonic() + within
        while words not in self.console:
            if self._process.poll() is not None or time.monotonic() > ends:
                raise AssertionError(f"no {words!r} in:\n{self.console[-4000:]}")
            time.sleep(0.2)
        return time.monotonic() - self._began

    def press_power_button(self) -> None:
        """As 'openstack server stop' does."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(self._monitor))
            monitor.sendall(b"system_powerdown\n")
            monitor.settimeout(5)
            with contextlib.suppress(TimeoutError):
                while b"powerdown" not in monitor.recv(4096):
                    pass

    def ended(self, within: float) -> int:
        """Its exit code, once it is off."""
        return self._process.wait(within)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def running(
    work: pathlib.Path, image: pathlib.Path, drive: pathlib.Path
) -> typing.Iterator[Machine]:
    machine = Machine(work, image, drive)
    try:
        yield machine
    finally:
        machine.close()
