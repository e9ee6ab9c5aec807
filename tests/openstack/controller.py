# SPDX-License-Identifier: Apache-2.0
"""The host that doc/install is tried on: a bare Debian with MariaDB and RabbitMQ.

It is a system container on this machine's own network, so that guests reach its broker
at this machine's address. What is on that network already has the usual ports of the
two servers: they have others here, and RabbitMQ another port mapper.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import typing

from tests.system.localcloud.machine import CACHE, ROOT, until
from trove.localcloud import (
    containers,
    guestimage,
    layers,
    machines,
    programs,
    releases,
)

PACKAGES = (
    *("ca-certificates", "curl", "logrotate", "mariadb-server", "nginx-light"),
    *("openssl", "procps", "python3-venv", "rabbitmq-server", "systemd-sysv"),
)
SUITES = {python: suite for suite, python in releases.PYTHONS.items()}
DATABASE_PORT = 3307
BROKER = """\
NODENAME=trove@localhost
DIST_PORT=25673
export ERL_EPMD_PORT=14369
"""
SERVERS = ("mariadb", "nginx", "rabbitmq-server")
# They wait for what they are told before they begin.
FILES = (
    ("etc/hosts", "127.0.0.1 localhost\n"),
    ("etc/mysql/mariadb.conf.d/99-port.cnf", f"[mysqld]\nport={DATABASE_PORT}\n"),
    ("etc/rabbitmq/rabbitmq-env.conf", BROKER),
    (
        "etc/systemd/system/rabbitmq-server.service.d/test.conf",
        "[Unit]\nConditionPathExists=/etc/rabbitmq/server.pem\n",
    ),
    (
        "etc/systemd/system/nginx.service.d/test.conf",
        "[Unit]\nConditionPathExists=/etc/nginx/conf.d/trove.conf\n",
    ),
    ("etc/nginx/sites-enabled/default", ""),
)
SOURCE = ("trove", "etc", "alembic", "bin")
SOURCE_FILES = ("setup.cfg", "pyproject.toml", "README.rst", "LICENSE")


def python() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def root_file_system() -> pathlib.Path:
    """The layer of the packages; they come from this host's own apt sources."""
    suite, host = SUITES[python()], programs.Host()
    return layers.Layers(CACHE / "images").have(
        "controller",
        layers.digest(suite, *PACKAGES),
        lambda root: guestimage.install(root, suite, PACKAGES, host),
    )


def wheels() -> pathlib.Path:
    """What pip installs, fetched with this host's own settings of pip."""
    wanted = layers.digest(python(), (ROOT / "setup.cfg").read_text())

    def fetch(at: pathlib.Path) -> None:
        words = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--wheel-dir",
            str(at),
        ]
        with tempfile.TemporaryDirectory() as work:
            source = pathlib.Path(work) / "trove"
            checkout(source)
            for what in ((f"{source}[client]",), ("setuptools>=77", "wheel")):
                subprocess.run([*words, *what], check=True, timeout=900)
        for own in at.glob("trove_dbaas-*.whl"):
            own.unlink()  # the guide makes it

    return layers.Layers(CACHE / "images").have("wheels", wanted, fetch)


def checkout(at: pathlib.Path) -> None:
    """A copy of this one: a wheel that is made leaves things behind."""
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for part in SOURCE:
        shutil.copytree(ROOT / part, at / part, ignore=ignore)
    for part in SOURCE_FILES:
        shutil.copy(ROOT / part, at)


class Controller:
    """One of them; ``close`` leaves nothing."""

    def __init__(self, home: pathlib.Path, name: str, servers: bool = True) -> None:
        self._host = programs.Host()
        self._machines = machines.Machines(home, "tin", self._host)
        self._name, self._path = name, str(home)
        files = [machines.File(*one) for one in FILES]
        self._machines.prepare(name, files)
        at = self._machines.home(name)
        self.root = at / "upper"
        if not servers:
            units = self.root / "etc/systemd/system"
            for one in SERVERS:
                (units / f"{one}.service").symlink_to("/dev/null")
        checkout(self.root / "root/trove")
        container = containers.Container(
            f"tin-{name}", name, at, (root_file_system(),), memory=4096, vcpus=2
        )
        self._machines.configure(container)
        text = (at / "config").read_text()
        assert "lxc.net.0.type = empty" in text
        text = text.replace("lxc.net.0.type = empty", "lxc.net.0.type = none")
        where = f"{wheels()} opt/wheels none bind,ro,create=dir"
        (at / "config").write_text(f"{text}lxc.mount.entry = {where}\n")

    def start(self) -> None:
        """Until its systemd has started all that it could."""
        self._machines.start(self._name)
        states = ("running", "degraded")
        until(
            lambda: self.run("systemctl", "is-system-running", ok=range(5)) in states,
            120,
        )

    def close(self) -> None:
        self._machines.remove(self._name)

    def run(
        self,
        *words: str,
        ok: typing.Container[int] = (0,),
        within: float = 300,
        **env: str,
    ) -> str:
        """What the command said, as root; its directory is the checkout."""
        path = "/opt/trove/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        known = {"PATH": path, "HOME": "/root", "LANG": "C.UTF-8", **env}
        known |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/opt/wheels"}
        attach = ["lxc-attach", "-P", self._path, "-n", f"tin-{self._name}"]
        attach += ["--clear-env", "--", "env", "-C", "/root/trove"]
        attach += [f"{key}={value}" for key, value in known.items()]
        return self._host.run(*attach, *words, ok=tuple(ok), within=within)

    def journal(self) -> str:
        """All that was said on it, if it runs."""
        if not self._machines.running(self._name):
            return ""
        return self.run("journalctl", "--no-pager", "--lines", "5000")

    def shell(self, text: str, **env: str) -> str:
        """A block of the guide, each line of which must do."""
        return self.run("bash", "-euo", "pipefail", "-c", f"exec 2>&1\n{text}", **env)

    def write(
        self, file: str, text: str, owner: str = "root", append: bool = False
    ) -> None:
        """To a file; what is there keeps its owner and mode."""
        sign = ">>" if append else ">"
        place = 'mkdir -p "$(dirname "$1")" && cat {sign} "$1" && chown "$2:" "$1"'
        attach = [
            "lxc-attach",
            "-P",
            self._path,
            "-n",
            f"tin-{self._name}",
            "--clear-env",
        ]
        script = place.format(sign=sign)
        if append:
            script = script.partition(" && chown")[0]
        words = ["--", "bash", "-euc", script, "write", file, owner]
        self._host.run(*attach, *words, given=text, within=60)
