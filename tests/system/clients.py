# SPDX-License-Identifier: Apache-2.0
"""Shipped clients, unmodified, in the hands of a user of the deployment."""

import contextlib
import importlib.metadata
import io
import json
import logging
import os
import pathlib
import subprocess
import sys
import time
import typing
import warnings

import openstack
import pytest

from tests.covered.recorder import LIBRARY, SDK
from tests.system.deployment import VERSIONS, Deployment, User

shell = pytest.importorskip("openstackclient.shell")
managers = pytest.importorskip("openstackclient.common.clientmanager")
troveclient = pytest.importorskip("troveclient.v1.client")

Plain = dict[str, typing.Any]

NOBODY = "00000000-0000-4000-8000-000000000000"
"""An id that nothing has."""

COMMANDS = {
    point.name.replace("_", " ")
    for point in importlib.metadata.entry_points(group="openstack.database.v1")
}
"""Every command that the installed python-troveclient gives to ``openstack``."""


def command(words: typing.Sequence[str]) -> str:
    """The command that is run: the longest that these words begin with."""
    said = " ".join(words).replace("-", " ")
    fitting = [name for name in COMMANDS if f"{said} ".startswith(f"{name} ")]
    return max(fitting, key=len)


PATIENCE = 120.0


class Openstack:
    """``openstack database ...``, in this process; ``ran`` has what was run."""

    def __init__(self, deployment: Deployment) -> None:
        self.file = str(deployment.place.clouds_yaml)
        self.ran: set[str] = set()

    def run(self, *words: str, cloud: str = "demo") -> tuple[int, str]:
        """The exit code, and all that was written; who asked too often asks again."""
        end = time.monotonic() + PATIENCE
        while True:
            code, said = self._run(*words, cloud=cloud)
            if "rate-limited" not in said or time.monotonic() > end:
                return code, said
            time.sleep(2)

    def _run(self, *words: str, cloud: str) -> tuple[int, str]:
        self.ran.add(command(words))
        out = io.StringIO()
        before = dict(os.environ)
        root = logging.getLogger()
        kept, level = root.handlers[:], root.level
        os.environ.update(OS_CLIENT_CONFIG_FILE=self.file, OS_CLOUD=cloud)
        for place in managers.ClientManager.__mro__:
            for cached in vars(place).values():
                if hasattr(cached, "_handle"):
                    cached._handle = None  # the user before this one is forgotten
        try:
            with contextlib.redirect_stderr(out), contextlib.redirect_stdout(out):
                code = shell.OpenStackShell().run(list(words))
        finally:
            os.environ.clear()
            os.environ.update(before)
            root.handlers[:] = kept  # the shell adds its own
            root.setLevel(level)
        return code, out.getvalue()

    def __call__(self, *words: str, cloud: str = "demo") -> str:
        code, said = self.run(*words, cloud=cloud)
        assert code == 0, (words, said)
        return said

    def shown(self, *words: str, cloud: str = "demo") -> typing.Any:
        said = self(*words, "-f", "json", cloud=cloud)
        start = min(at for at in (said.find("{"), said.find("[")) if at >= 0)
        return json.loads(said[start:])

    def refused(self, *words: str, cloud: str = "demo") -> str:
        code, said = self.run(*words, cloud=cloud)
        assert code != 0, (words, said)
        assert "Traceback" not in said
        return said


def process(
    deployment: Deployment, *words: str, cloud: str = "demo"
) -> tuple[int, str, str]:
    """The same as a program of its own: its exit code, its output, its errors."""
    ran = subprocess.run(
        [str(pathlib.Path(sys.executable).with_name("openstack")), *words],
        env={
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "OS_CLIENT_CONFIG_FILE": str(deployment.place.clouds_yaml),
            "OS_CLOUD": cloud,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return ran.returncode, ran.stdout, ran.stderr


def connection(deployment: Deployment, cloud: str, name: str) -> typing.Any:
    """Of openstacksdk; its User-Agent says which library it is for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it means to drop in its next release
        config = openstack.config.OpenStackConfig(
            config_files=[str(deployment.place.clouds_yaml)],
            app_name=name,
            app_version="0",
        )
        return openstack.connection.Connection(config=config.get_one(cloud))


def library(deployment: Deployment, cloud: str = "demo") -> typing.Any:
    """python-troveclient."""
    made = connection(deployment, cloud, LIBRARY)
    client = troveclient.Client(
        session=made.session,
        service_type="database",
        region_name=made.config.get_region_name(),
    )
    _patient(client.client)
    return client


def _patient(adapter: typing.Any) -> None:
    """The tests before may have used up the project's rate: it is asked again."""
    adapter.retriable_status_codes = [413]
    adapter.status_code_retries = 8


class Proxy:
    """openstacksdk's database proxy; ``called`` has the methods that were used."""

    def __init__(self, deployment: Deployment, cloud: str = "demo") -> None:
        self.proxy = connection(deployment, cloud, SDK).database
        _patient(self.proxy)
        self.called: set[str] = set()

    def __getattr__(self, name: str) -> typing.Any:
        self.called.add(name)
        return getattr(self.proxy, name)

    def methods(self) -> set[str]:
        """All that the library has for databases."""
        return {name for name in vars(type(self.proxy)) if not name.startswith("_")} - {
            "api_version"
        }


def demos(demo: User) -> dict[str, str]:
    """The ids of the two instances that a deployment is made with, by datastore."""
    rows = demo.ask("GET", "/instances").json()["instances"]
    named = {row["name"]: row["id"] for row in rows}
    return {store: named[f"demo-{store}"] for store in VERSIONS}
