# SPDX-License-Identifier: Apache-2.0
"""A control plane of a test's own: its home, its broker, and Trove's own processes.

What is beside it (the cloud, the guests, the database) differs from one to the other:
the laboratory, the benchmark's stand, the one beside a real OpenStack.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import typing

from cryptography import fernet

from tests.system.faults.servers import Daemon
from trove.localcloud import rabbitmq
from trove.localcloud.layout import Layout
from trove.service.certificates import Authority

ROOT = pathlib.Path(__file__).resolve().parents[3]
LOOPBACK = "127.0.0.1"

COMMON = """
[database]
connection = {database}
seal_keys = {home}/seal-keys
[rpc]
control_url = {access.control_url}
guests_url = {access.guests_url}
ca_file = {access.ca_file}
guest_hosts = {hosts}
broker_url = {access.broker_url}
broker_user = {access.broker_user}
broker_password = {access.broker_password}
[oslo_concurrency]
lock_path = {home}
"""

OWN = {
    "api": """
[listen]
host = {address}
port = {api}
paste_config = {paste}
[api]
default_datastore = mariadb
post_rate = 0
get_rate = 0
delete_rate = 0
[recycle]
by_default = false
""",
    "conductor": """
[DEFAULT]
ready_file = {home}/{name}.ready
[conductor]
authority = {home}/pki
""",
    "taskmanager": """
[DEFAULT]
ready_file = {home}/{name}.ready
""",
}
"""What each kind of process is told by itself, before what a test adds."""

Options = typing.Mapping[str, typing.Mapping[str, object]]
"""By group and name."""


def kind(process: str) -> str:
    """``conductor-2`` is a conductor."""
    return process.partition("-")[0]


class Hosted:
    """All in one directory; ``daemons`` by their names."""

    def __init__(self, name: str, *, tag: str, ports: int, address: str = LOOPBACK):
        # Not pytest's own directory: the servers' users could not get there.
        self.home = pathlib.Path(
            tempfile.mkdtemp(prefix=f"trove-{name}-", dir="/var/tmp")
        )
        self.home.chmod(0o711)
        self.place = Layout(state=self.home, tag=tag, ports=ports)
        self.address = address
        self.daemons: dict[str, Daemon] = {}
        self.environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }

    def prepare(self) -> bytes:
        """The broker's files, the authority, and the key of the database: that one."""
        rabbitmq.prepare(self.place, Authority.create(self.place.pki), self.address)
        self.access = rabbitmq.access(self.place, self.address)
        key = fernet.Fernet.generate_key()
        (self.home / "seal-keys").write_text(key.decode() + "\n")
        argv, environment, user = rabbitmq.command(self.place)
        how: dict[str, typing.Any] = {"env": environment}
        if user:
            how |= {"user": user, "group": user, "extra_groups": []}
        self.daemon("rabbitmq", argv, self.broker_ready, **how)
        return key

    def broker_ready(self) -> bool:
        return rabbitmq.ready(self.place, self.address)

    def daemon(
        self,
        name: str,
        argv: list[str],
        ready: typing.Callable[[], bool],
        **how: typing.Any,
    ) -> Daemon:
        """Known from here on; not started."""
        how.setdefault("env", self.environment)
        log = self.home / f"{name}.log"
        self.daemons[name] = Daemon(name, argv, log, ready, **how)
        return self.daemons[name]

    def configure(
        self,
        database: str,
        names: typing.Iterable[str],
        options: typing.Mapping[str, Options],
        paste: pathlib.Path = ROOT / "etc/trove/api-paste.ini",
    ) -> None:
        """Their files; ``options`` are by kind of process, "trove" for all."""
        said = {
            "home": self.home,
            "database": database,
            "access": self.access,
            "hosts": ",".join(self.access.guest_hosts),
            "address": self.address,
            "api": self.place.api_port,
            "paste": paste,
        }
        text = COMMON.format(**said).replace("$", "$$")
        (self.home / "trove.conf").write_text(text + _text(options.get("trove", {})))
        for name in names:
            own = OWN[kind(name)].format(name=name, **said)
            own += _text(options.get(kind(name), {}))
            (self.home / f"{name}.conf").write_text(own)

    def trove(
        self, name: str, ready: typing.Callable[[], bool] | None = None
    ) -> Daemon:
        """One of Trove's own; it is ready when it says so, or as ``ready`` says."""
        argv = [sys.executable, "-m", f"trove.cmd.{kind(name)}"]
        for part in ("trove", name):
            argv += ["--config-file", str(self.home / f"{part}.conf")]
        return self.daemon(name, argv, ready or self.ready_file(name).exists)

    def ready_file(self, name: str) -> pathlib.Path:
        """That it is there says that the process serves."""
        return self.home / f"{name}.ready"

    def manage(self, *words: str, allowed: typing.Container[int] = (0,)) -> str:
        """What trove-manage prints, as an operator types it."""
        return self.managed(*words, allowed=allowed).stdout

    def managed(
        self, *words: str, allowed: typing.Container[int] = (0,)
    ) -> "subprocess.CompletedProcess[str]":
        """The same, with its exit code."""
        config = f"--config-file={self.home / 'trove.conf'}"
        done = subprocess.run(
            [sys.executable, "-m", "trove.cmd.manage", config, *words],
            capture_output=True,
            text=True,
            env=self.environment,
            cwd="/",
            timeout=180,
            check=False,
        )
        assert done.returncode in allowed, (words, done.stdout, done.stderr)
        return done

    def end(self, first: typing.Iterable[str], logs: str) -> None:
        """Nothing is left: no process, no file but logs where that variable says."""
        for name in first:
            if name in self.daemons:
                self.daemons[name].kill()
        rabbitmq.stop(self.place, within=10)
        if "rabbitmq" in self.daemons:
            self.daemons["rabbitmq"].kill()
        if keep := os.environ.get(logs):
            for log in self.home.glob("*.log"):
                shutil.copy(log, keep)
        shutil.rmtree(self.home)


def _text(options: Options) -> str:
    """As a file of oslo.config's; ``$`` is a sign of its own there."""
    lines = []
    for group, values in options.items():
        lines.append(f"[{group}]")
        lines += [
            f"{name} = {value}".replace("$", "$$") for name, value in values.items()
        ]
    return "\n".join(["", *lines, ""])
