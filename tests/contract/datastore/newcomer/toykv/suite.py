# SPDX-License-Identifier: Apache-2.0
"""How the contract suite sees the toy. A statement is a command, as a shell writes it;
what tells tables and rows apart elsewhere is a key with numbers."""

import contextlib
import json
import pathlib
import shlex
import ssl
import typing

from tests.contract.datastore.clients import Refused, shown
from tests.contract.datastore.machine import Machine
from toykv import server
from toykv.wire import FAILURES, Talk, local, remote

Run = typing.Callable[[str], list[tuple[typing.Any, ...]]]


class Client:
    """A tenant's and an administrator's view of the toy."""

    unit = "trove-toykv.service"
    superuser = "trove_admin"
    spoken = ("accounts", "ask")
    ages = breakable = False
    certified = None
    by_hand = ('PUT {user} "{password}"',)
    begin, commit = "BEGIN", "COMMIT"
    lock = ("BEGIN",)
    setting, memory = "VALUE {}", "VALUE memory"
    connections = "max_connections"
    spare = True
    live: typing.ClassVar = {"max_connections": 77, "max_value": 601_000}
    says: typing.ClassVar = ["77", "601000"]
    waiting: typing.ClassVar = {"backlog": 99}
    fatal: typing.ClassVar = {"idle_timeout": 9}
    timeouts: typing.ClassVar = {"idle_timeout": 1}
    noisy: typing.ClassVar = {"log_commands": True}
    dialect: typing.ClassVar = {"log_commands": True}
    refused: typing.ClassVar = {"memory": 2**25, "max_value": 2**26}
    words: typing.ClassVar[dict[str, str]] = {}
    ends: typing.ClassVar[dict[str, tuple[str, ...]]] = {}
    huge = ()
    rounded, harmless = "max_value", "idle_timeout"
    many = (5, 10)
    evil = ("RELOAD", "USERS", "INFO", "VALUE port", "PUT evil evil", "DROP root")
    beyond_root = (*evil, "RENAME ann eve ''", "BEAT x")

    def __init__(self, machine: Machine, port: int, ca: str) -> None:
        self._machine, self._port, self.ca = machine, port, ca
        self._socket = machine.path("/run/trove-toykv/toykv.sock")
        self._store = pathlib.Path(machine.path("/srv/toykv/data/store.json"))
        self._settings = machine.path("/etc/trove-toykv")

    @contextlib.contextmanager
    def login(
        self,
        user: str,
        password: str,
        database: str | None = None,
        tls: bool = True,
        pair: tuple[str, str] | None = None,
    ) -> typing.Iterator[Run]:
        context = ssl.create_default_context(cafile=self.ca) if tls else None
        if context and pair is not None:
            context.load_cert_chain(*pair)
        with contextlib.ExitStack() as stack:
            with _bad_news():
                talk = remote(("127.0.0.1", self._port), context, 5)
                stack.callback(talk.close)
                talk.ask("AUTH", user, password, within=5)
            yield lambda statement: _rows(talk, statement)

    def admin(self, statement: str) -> list[tuple[typing.Any, ...]]:
        with _bad_news(), contextlib.closing(local(self._socket, 10)) as talk:
            return _rows(talk, statement)

    def users(self) -> dict[str, typing.Any]:
        return json.loads(self._store.read_text())["users"]

    def databases(self) -> set[str]:
        return set()

    def takes(self, name: str, value: object, live: bool) -> bool:
        """Whether the engine takes a value; it has one reader for both ways."""
        file = self._machine.root / "tried.conf"
        text = f'include = "{self._settings}/toykv.conf"\n{name} = {json.dumps(value)}'
        file.write_text(text)
        words = ["/usr/bin/python3", server.__file__, "--check", str(file)]
        return self._machine.run(words, check=False).returncode == 0

    def shown(self) -> str:
        return shown(self._port, None)

    def log_everything(self, path: str) -> None:
        """It writes into its own journal; the file is left alone."""
        layer = pathlib.Path(self._settings, "70-logs.conf")
        layer.write_text("log_commands = true\n")
        self.admin("RELOAD")

    def logged(self, path: str) -> str:
        return ""

    def slow(self) -> str:
        return ""

    # -- what a tenant does

    def answers(self, run: Run) -> bool:
        return run("ECHO so") == [("so",)]

    def make(self, run: Run, table: str) -> None:
        run(f"DEL {table}")

    def put(self, run: Run, table: str, number: int) -> None:
        run(f"APPEND {table} '{number} '")

    def numbers(self, run: Run, table: str) -> list[int]:
        ((found,),) = run(f"GET {table}")
        return [int(number) for number in found.split()]

    def alter(self, run: Run, table: str) -> None:
        run(f"APPEND {table} ''")

    def drop(self, run: Run, table: str) -> None:
        run(f"DEL {table}")

    def say(self, run: Run, words: str) -> None:
        run(f"ECHO {shlex.quote(words)}")


def _rows(talk: Talk, statement: str) -> list[tuple[typing.Any, ...]]:
    with _bad_news():
        return [(talk.ask(*shlex.split(statement), within=10),)]


@contextlib.contextmanager
def _bad_news() -> typing.Iterator[None]:
    try:
        yield
    except FAILURES as failed:
        raise Refused(str(failed)) from failed
