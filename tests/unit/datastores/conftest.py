# SPDX-License-Identifier: Apache-2.0
"""A machine that holds files in memory and writes down what it was told to do."""

import dataclasses
import typing

import pytest

from trove import errors
from trove.datastores.protocol import Ran, Sizing, Tls


@dataclasses.dataclass
class PaperHost:
    """A ``Host`` on paper: nothing runs; ``answers`` are what programs say."""

    files: dict[str, str] = dataclasses.field(default_factory=dict)
    deeds: list[str] = dataclasses.field(default_factory=list)
    answers: dict[str, Ran] = dataclasses.field(default_factory=dict)
    state: str = "inactive"
    log: str = ""
    result: str = "success"
    broken: bool = False
    words: str = "it failed"
    started: typing.ClassVar = "-- started --\n"  # in a unit's log, where it was
    mounts: set[str] = dataclasses.field(default_factory=set)
    sizing: typing.ClassVar = Sizing(memory=1024, vcpus=2)
    tls: typing.ClassVar = Tls("/tls/pair", "/tls/ca")

    def __post_init__(self):
        self.files |= {path: path for path in ("/tls/pair", "/tls/ca")}

    def path(self, path):
        return path

    def run(self, argv, *, input=None, timeout=60.0, user=None, check=True):
        program = argv[0].rpartition("/")[2]
        self.deeds.append(f"{program} as {user}")
        return self.answers.get(program, Ran(0, "", ""))

    def write_file(self, path, text, *, mode=0o644, owner="root"):
        changed = self.files.get(path) != text
        self.files[path] = text
        return changed

    def read_file(self, path):
        return self.files.get(path)

    def make_directory(self, path, *, mode=0o755, owner="root"):
        self.files.setdefault(path, "")

    def exists(self, path):
        return path in self.files

    def is_mount(self, path):
        return path in self.mounts

    def rename(self, old, new):
        assert new not in self.files
        self.files[new] = self.files.pop(old)

    def remove(self, path):
        self.files.pop(path, None)

    def service(self, action, unit, *, timeout=60.0):
        self.deeds.append(f"{action} {unit}")
        if self.broken:
            raise errors.CommandFailed(program="systemctl", code=1, why=self.words)

    def service_state(self, unit, within=1.0):
        return self.state

    def service_result(self, unit, within=1.0):
        return self.result

    def service_log(self, unit, lines=50, *, latest=False):
        return self.log.rpartition(self.started)[2] if latest else self.log


@pytest.fixture
def host():
    return PaperHost()


class PaperTalk:
    """A conversation that notes what is said; ``known`` are rows for a select."""

    def __init__(self):
        self.said = []
        self.known = []

    def rows(self, statement, within):
        text = statement if isinstance(statement, str) else statement.as_string(None)
        self.said.append(text)
        return self.known if text.startswith("SELECT") else []

    def verifier(self, user, password):
        return "SCRAM-SHA-256$verifier"


@pytest.fixture
def talk():
    return PaperTalk()
