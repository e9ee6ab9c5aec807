# SPDX-License-Identifier: Apache-2.0
"""A tenant's and an administrator's view of Valkey.

A statement is a command of it, written as on its own command line. What tells tables
and rows apart elsewhere is a list here, by the name of the table.
"""

import contextlib
import pathlib
import shlex
import socket
import ssl
import typing

import libvalkey

from tests.contract.datastore.clients import Refused, shown
from tests.contract.datastore.machine import Machine

Run = typing.Callable[[str], list[tuple[typing.Any, ...]]]


class Client:
    """A tenant's and an administrator's view of Valkey."""

    unit = "trove-valkey.service"
    memory = "CONFIG GET maxmemory"
    superuser = "default"
    begin, commit = "MULTI", "EXEC"
    ages = False
    spoken = ("wire", "ask")
    breakable = False
    fatal: typing.ClassVar = {"timeout": 9}
    many = (40, 60)
    certified = None
    by_hand = ('ACL SETUSER {user} on ">{password}" ~* &* +@all -@admin',)
    lock = ("WATCH t", "MULTI")
    timeouts: typing.ClassVar = {"timeout": 1, "busy-reply-threshold": 0}
    words: typing.ClassVar = {"notify-keyspace-events": "KEA"}
    setting = "CONFIG GET {}"
    connections = "maxclients"
    spare = False
    live: typing.ClassVar = {"maxclients": 77, "timeout": 601}
    says: typing.ClassVar = ["77", "601"]
    waiting: typing.ClassVar = {"io-threads": 3}
    noisy: typing.ClassVar = {
        "slowlog-log-slower-than": 0,
        "slowlog-max-len": 1000,
        "latency-monitor-threshold": 1,
    }
    ends: typing.ClassVar = {"maxclients": ("min",), "maxmemory": ("min",)}
    huge = ("maxmemory",)
    rounded = "client-query-buffer-limit"
    refused: typing.ClassVar = {"maxmemory": 2**42}
    harmless = "active-expire-effort"
    beyond_root = (
        "CONFIG SET dir /tmp",
        "CONFIG GET *",
        "SHUTDOWN NOSAVE",
        "DEBUG SLEEP 0",
        "MODULE LOAD /tmp/x.so",
        "REPLICAOF 127.0.0.1 6379",
        "MIGRATE 127.0.0.1 6379 roots 0 1000",
        "SAVE",
        "BGSAVE",
        "BGREWRITEAOF",
        "CLUSTER INFO",
        "FAILOVER",
        "MONITOR",
        "SYNC",
        "ACL SETUSER root +@all",
        "ACL LIST",
        "CLIENT KILL USER trove_admin",
        "CLIENT PAUSE 1000",
        "EVAL \"return redis.call('config', 'get', '*')\" 0",
    )
    evil = (*beyond_root, "CLIENT LIST", "SLOWLOG GET", "SWAPDB 0 16")
    dialect: typing.ClassVar = {"extended-redis-compatibility": True}

    def __init__(self, machine: Machine, port: int, ca: str) -> None:
        self._machine = machine
        self._socket = machine.path("/run/trove-valkey/valkey.sock")
        self._port = port
        self.ca = ca

    @contextlib.contextmanager
    def login(
        self,
        user: str,
        password: str,
        database: str | None = None,
        tls: bool = True,
        pair: tuple[str, str] | None = None,
    ) -> typing.Iterator[Run]:
        with contextlib.ExitStack() as stack:
            with _bad_news():
                where = ("127.0.0.1", self._port)
                plain = stack.enter_context(socket.create_connection(where, 5))
                if tls:
                    context = ssl.create_default_context(cafile=self.ca)
                    if pair is not None:
                        context.load_cert_chain(*pair)
                    plain = stack.enter_context(
                        context.wrap_socket(plain, server_hostname="127.0.0.1")
                    )
                talk = _Talk(plain)
                talk("AUTH", user, password)
            yield lambda statement: talk.rows(*shlex.split(statement))

    def command(self, *words: str | int) -> typing.Any:
        """An administrator's command, and what is answered."""
        with _bad_news():
            plain, talk = self._administrator()
            with plain:
                return talk(*words)

    def _administrator(self) -> tuple[socket.socket, "_Talk"]:
        plain = socket.socket(socket.AF_UNIX)
        plain.settimeout(10)
        plain.connect(self._socket)
        talk = _Talk(plain)
        secret = self._machine.path("/etc/trove-valkey/agent.secret")
        talk("AUTH", "trove_admin", pathlib.Path(secret).read_text())
        return plain, talk

    def admin(self, statement: str) -> list[tuple[typing.Any, ...]]:
        said = self.command(*shlex.split(statement))
        # of a parameter, the value
        return [(said[1],)] if statement.startswith("CONFIG GET") else [(said,)]

    def users(self) -> dict[str, str]:
        return {line.split(" ")[1]: line for line in self.command("ACL", "LIST")}

    def databases(self) -> set[str]:
        return set()

    def takes(self, name: str, value: object, live: bool) -> bool:
        """Whether the engine takes a value as it is, set live or as an option."""
        if not live:
            return self._starts(name, value)
        before = self.command("CONFIG", "GET", name)[1]
        with contextlib.suppress(Refused):
            self.command("CONFIG", "SET", name, str(value))
            self.command("CONFIG", "SET", name, before)
            return True
        return False

    def _starts(self, name: str, value: object) -> bool:
        words = ("--port", "0", "--aclfile", "/nonexistent", f"--{name}", str(value))
        done = self._machine.run(["valkey-server", *words], check=False, timeout=60)
        return "FATAL CONFIG" not in done.stdout + done.stderr

    def shown(self) -> str:
        """The serial of the certificate that a new connection is shown."""
        return shown(self._port, None)

    def log_everything(self, path: str) -> None:
        """What it shows to one who watches; the file is left alone."""
        self._watch, talk = self._administrator()
        talk("MONITOR")

    def logged(self, path: str) -> str:
        """What was shown, until one knows that there is no more to come."""
        said = b""
        with self._watch:
            self.command("ECHO", "that is all")
            while b"that is all" not in said:
                said += self._watch.recv(65536)
        return said.decode() + self.slow()

    def slow(self) -> str:
        """All that it keeps of slow commands."""
        return str(self.command("SLOWLOG", "GET", -1))

    # -- what a tenant does

    def answers(self, run: Run) -> bool:
        return run("PING") == [("PONG",)]

    def make(self, run: Run, table: str) -> None:
        run(f"DEL {table}")

    def put(self, run: Run, table: str, number: int) -> None:
        run(f"RPUSH {table} {number}")

    def numbers(self, run: Run, table: str) -> list[int]:
        ((found,),) = run(f"LRANGE {table} 0 -1")
        return [int(number) for number in found]

    def alter(self, run: Run, table: str) -> None:
        run(f"RENAME {table} {table}.new")
        run(f"RENAME {table}.new {table}")

    def drop(self, run: Run, table: str) -> None:
        run(f"DEL {table}")

    def say(self, run: Run, words: str) -> None:
        run(f"ECHO {shlex.quote(words)}")


class _Talk:
    """Words there, and an answer back."""

    def __init__(self, plain: socket.socket) -> None:
        self._plain = plain
        self._reader = libvalkey.Reader(encoding="utf-8")

    def __call__(self, *words: str | int) -> typing.Any:
        self._plain.sendall(libvalkey.pack_command(words))
        while (said := self._reader.gets()) is False:
            piece = self._plain.recv(65536)
            if not piece:
                raise ConnectionResetError("it hung up")
            self._reader.feed(piece)
        if isinstance(said, libvalkey.ReplyError):
            raise said
        return said

    def rows(self, *words: str) -> list[tuple[typing.Any, ...]]:
        with _bad_news():
            return [(self(*words),)]


@contextlib.contextmanager
def _bad_news() -> typing.Iterator[None]:
    try:
        yield
    except (OSError, libvalkey.ReplyError, libvalkey.ProtocolError) as failed:
        raise Refused(str(failed)) from failed
