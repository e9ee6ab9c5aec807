# SPDX-License-Identifier: Apache-2.0
"""Every engine on a machine where a unit is an ordinary process below a new root."""

import contextlib
import dataclasses
import functools
import importlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import typing

import pytest
from cryptography import x509

from tests.contract.datastore import clients
from tests.contract.datastore.machine import Machine
from trove.datastores import registry, rules
from trove.datastores.policy import Rule, Rules
from trove.datastores.protocol import (
    Account,
    Database,
    Description,
    Engine,
    Sizing,
    Tls,
)
from trove.datastores.spec import Build, Can
from trove.localcloud import guestimage, programs, releases
from trove.service.certificates import Authority

CACHE = pathlib.Path(os.environ.get("TROVE_CACHE", "/var/lib/trove/cache"))
SIZING = Sizing(memory=512, vcpus=1)


@dataclasses.dataclass
class Lab:
    """One engine, prepared and running, and who looks at it."""

    machine: Machine
    engine: Engine
    client: typing.Any
    tls: Tls
    name: str
    version: str
    port: int
    refused: typing.ClassVar[type[Exception]] = clients.Refused

    @property
    def described(self) -> Description:
        """All that this engine says of its parameters."""
        return described(self.name, self.version)

    @property
    def rules(self) -> Rules:
        """What this engine takes of what the policy allows, as an image has it."""
        policy = registry.get(self.name).policy
        return rules.narrowed(policy, self.described.rules)

    def end(self, name: str, end: str) -> typing.Any:
        """A value at an end of what a parameter can be: the least, or the most."""
        return at_end(self.rules[name], end, self.client.words.get(name))

    def configure(self, **group: typing.Any) -> None:
        self.engine.configure(SIZING, self.tls, group, 7)

    def certify(self) -> str:
        """A new certificate, loaded; its serial."""
        serial = certify(self.machine.root)
        self.engine.load_certificate(self.tls)
        return serial

    def process(self) -> int:
        return self.machine.processes[self.client.unit].pid

    @property
    def can(self) -> Can:
        """What this datastore is able to do."""
        return registry.get(self.name).can

    def has(self, *databases: str) -> bool:
        """Whether they are there, if there can be any."""
        return not self.can.databases or set(databases) <= self.client.databases()

    def account(self, name: str, password: str | None, *databases: str) -> None:
        """A user of these databases, or one of all there is, where there are none."""
        databases = databases if self.can.databases else ()
        self.engine.accounts.create_databases([Database(each) for each in databases])
        self.engine.accounts.create_accounts([Account(name, "%", databases, password)])


def at_end(rule: Rule, end: str, word: str | None) -> typing.Any:
    """``min`` or ``max``: of a number, of what is on or off, of a list of words."""
    first = end == "min"
    match rule:
        case {"type": "boolean"}:
            return not first
        case {"type": "string", "pattern": _}:
            return word
        case {"values": words}:
            return words[0 if first else -1]
        case {"members": words}:
            return "" if first else f"{words[0]},{words[-1]}"
    return rule[end]


@functools.cache
def image(name: str, version: str) -> guestimage.GuestImage | None:
    """What has that engine; None: this very machine has it."""
    release = next(one for one in releases.releases() if one.has(name, version))
    if release.name == releases.FIRST:
        return None
    host = programs.Host()
    return guestimage.build(CACHE, host, guestimage.printed, release=release)


def machine_of(name: str, version: str, place: str | None = None) -> Machine:
    """A new machine with that engine, in a directory of its own (below ``place``)."""
    # Short: the path of a socket has at most 107 characters.
    root = pathlib.Path(tempfile.mkdtemp(prefix="trove-", dir=place))
    root.chmod(0o755)
    found = image(name, version)
    return Machine(root, None if found is None else found.layers[-1])


@functools.cache
def described(name: str, version: str) -> Description:
    """The version of an engine, and all that it says of its parameters."""
    machine = machine_of(name, version)
    try:
        return registry.engine(name, machine).describe()
    finally:
        shutil.rmtree(machine.root)


def printed(lab: Lab) -> str:
    """The file of rules, as the agent printed it on this machine or in the image."""
    found = image(lab.name, lab.version)
    if found is not None:
        return found.rules(lab.name).read_text()
    return subprocess.run(
        [sys.executable, "-m", "trove.cmd.guestagent", "rules", lab.name],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    ).stdout


def certificates(root: pathlib.Path) -> Tls:
    """A CA, and a certificate of 127.0.0.1 by it."""
    Authority.create(root / "ca")
    tls = Tls(str(root / "server.pem"), str(root / "ca/ca.pem"))
    certify(root)
    return tls


def certify(root: pathlib.Path) -> str:
    """The next certificate in the place of the one before; its serial."""
    authority = Authority.load(root / "ca")
    certificate, key = authority.server_certificate([], ["127.0.0.1"])
    (root / "server.pem").write_text(key + certificate)
    return f"{x509.load_pem_x509_certificate(certificate.encode()).serial_number:x}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def builds(every: bool) -> list[tuple[str, Build]]:
    """What the suite is run on: the engines of this machine's Debian, or all."""
    return [
        (name, build)
        for name in clients.known()
        for build in registry.get(name).builds
        if every or build.suite == releases.FIRST
    ]


def param(kind: tuple[str, str]) -> typing.Any:
    """An engine and its version, as what a test is asked with."""
    marks = [getattr(pytest.mark, kind[0]), pytest.mark.root]
    return pytest.param(kind, id="-".join(kind), marks=marks)


def pytest_configure(config: pytest.Config) -> None:
    for name in clients.known():
        line = f"{name}: needs a server of {name}, which the test starts"
        config.addinivalue_line("markers", line)
    line = "engines(*names): the only ones, or versions (a-1), that it is collected for"
    config.addinivalue_line("markers", line)


def concerns(metafunc: pytest.Metafunc, name: str, version: str) -> bool:
    """Whether a test is of that engine too: where nothing is said, it is of all."""
    only = metafunc.definition.get_closest_marker("engines")
    return only is None or bool({name, f"{name}-{version}"} & set(only.args))


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """What is of no engine of this run is none of its tests."""
    none = [item for item in items if _of_none(item)]
    if none:
        config.hook.pytest_deselected(items=none)
        items[:] = [item for item in items if not _of_none(item)]


def _of_none(item: pytest.Item) -> bool:
    mine = pathlib.Path(__file__).parent in item.path.parents
    return mine and any(
        "empty parameter set" in str(mark.kwargs.get("reason", ""))
        for mark in item.iter_markers("skip")
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``--all-datastores``: also what another Debian has, out of its guest image."""
    if "lab" not in metafunc.fixturenames:
        return
    params = [
        pytest.param(
            (name, build.version),
            marks=[getattr(pytest.mark, name), pytest.mark.root],
            id=name if build.suite == releases.FIRST else f"{name}-{build.version}",
        )
        for name, build in builds(metafunc.config.getoption("all_datastores"))
        if concerns(metafunc, name, build.version)
    ]
    metafunc.parametrize("lab", params, indirect=True, scope="module")


@pytest.fixture(scope="module")
def lab(request):
    """The engine of one datastore, initialised, configured, and started."""
    with laboratory(*request.param) as made:
        yield made


@contextlib.contextmanager
def laboratory(
    name: str, version: str, place: str | None = None
) -> typing.Iterator[Lab]:
    """An engine of that version on a machine of its own, started."""
    machine = machine_of(name, version, place)
    root = machine.root
    tls = certificates(root)
    port = free_port()
    agent = importlib.import_module(registry.get(name).agent)
    engine = agent.engine(machine, port)
    client = clients.client(name)(machine, port, tls.ca)
    made = Lab(machine, engine, client, tls, name, version, port)
    file = rules.write(name, made.described.version, made.rules)
    machine.make_directory(machine.path(rules.DIRECTORY))
    machine.write_file(machine.path(rules.path(name)), file)
    try:
        made.configure()
        engine.initialise(SIZING, tls)
        engine.start()
        yield made
        engine.stop()
    finally:
        machine.close()
        shutil.rmtree(root, ignore_errors=True)
