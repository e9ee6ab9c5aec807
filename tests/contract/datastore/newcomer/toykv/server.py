# SPDX-License-Identifier: Apache-2.0
"""The engine: a server of keys over TLS, with users, all of it in one durable file.

``server.py CONFIGURATION`` serves, ``--check CONFIGURATION`` only reads it, and
``--describe`` says what parameters there are. Python's own library is all it needs.
"""

import contextlib
import hashlib
import hmac
import io
import json
import os
import pathlib
import secrets
import socket
import ssl
import sys
import threading
import typing

VERSION = "1.0.3"
MIB = 1024 * 1024


def _whole(low: int, high: int, default: int, fixed: bool = False) -> dict:
    rule = {"type": "integer", "min": low, "max": high, "restart_required": fixed}
    return rule | {"default": default}


PARAMETERS: dict[str, dict[str, typing.Any]] = {
    "backlog": _whole(16, 4096, 128, fixed=True),
    "idle_timeout": _whole(0, 86400, 0),
    "log_commands": {"type": "boolean", "restart_required": False, "default": False},
    "max_connections": _whole(20, 1000, 100),
    "max_value": _whole(1024, 64 * MIB, MIB),
    "memory": _whole(32 * MIB, 2**40, 64 * MIB),
}
FIXED = [name for name, rule in PARAMETERS.items() if rule["restart_required"]]
OWN = {"port": 0, "data": "", "socket": "", "pair": "", "authority": ""}
SWITCHES = {"mtls": False, "read_only": False}

May = dict[str, int | None]
"""What one may say, and with how many words after it."""
STRANGERS: May = {"AUTH": 2}
TENANTS: May = {"APPEND": 2, "BEGIN": 0, "COMMIT": 0, "DEL": 1, "ECHO": 1, "GET": 1}
TENANTS |= {"HELLO": 0, "SET": 2}
AGENTS: May = {"BEAT": 1, "DROP": 1, "INFO": 0, "PUT": None, "RELOAD": 0}
AGENTS |= {"RENAME": 3, "USERS": 0, "VALUE": 1}

PATIENCE = 10.0
"""Seconds for a stranger to log in."""
SHORT = 8192
"""Bytes that a stranger may say."""


class Refused(Exception):
    """No, and why."""


# -- the configuration


def rules() -> dict[str, dict[str, typing.Any]]:
    """What each parameter can be."""
    return {
        name: {word: said for word, said in rule.items() if word != "default"}
        for name, rule in PARAMETERS.items()
    }


def read(path: str) -> dict[str, typing.Any]:
    """All values; of a name that is said twice, the later one."""
    values = {name: rule["default"] for name, rule in PARAMETERS.items()}
    values |= OWN | SWITCHES | _said(path)
    if values["max_value"] > values["memory"]:
        raise Refused("max_value is more than memory")
    return values


def _said(path: str) -> dict[str, typing.Any]:
    found: dict[str, typing.Any] = {}
    for line in pathlib.Path(path).read_text().splitlines():
        name, _, text = line.partition(" = ")
        try:
            value = json.loads(text)
        except ValueError:
            raise Refused(f"{name} has no value") from None
        if name == "include":
            found |= _said(value)
        else:
            found[name] = _checked(name, value)
    return found


def _checked(name: str, value: typing.Any) -> typing.Any:
    rule = PARAMETERS.get(name, {})
    known = {**PARAMETERS, **OWN, **SWITCHES}
    if name not in known or type(value) is not type(rule.get("default", known[name])):
        raise Refused(f"{name} cannot be {value}")
    if not rule.get("min", value) <= value <= rule.get("max", value):
        raise Refused(f"{name} cannot be {value}")
    return value


def context_of(values: dict[str, typing.Any]) -> ssl.SSLContext:
    """What a new connection is shown, and asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(values["pair"])
        context.load_verify_locations(values["authority"])
    except OSError as failed:
        raise Refused(f"{values['pair']} cannot be served with: {failed}") from failed
    if values["mtls"]:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


# -- what it keeps


def hashed(password: str, salt: str) -> str:
    """What is kept of a password."""
    secret = password.encode(errors="surrogatepass")
    return hashlib.scrypt(secret, salt=bytes.fromhex(salt), n=2048, r=8, p=1).hex()


def _kept(password: str) -> list[str]:
    salt = secrets.token_hex(16)
    return [salt, hashed(password, salt)]


class Store:
    """Users and keys: one file, written anew with each change, before it counts."""

    def __init__(self, data: str) -> None:
        self._path = f"{data}/store.json"
        self.kept = json.loads(pathlib.Path(self._path).read_text())

    def keep(self, room: int, **parts: typing.Any) -> None:
        """These parts are others from now on; or, with a refusal, none is."""
        wanted = self.kept | parts
        text = json.dumps(wanted)
        if len(text) > room:
            raise Refused("there is no memory left")
        try:
            with open(f"{self._path}.new", "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(file.name, self._path)
            directory = os.open(os.path.dirname(self._path), os.O_RDONLY)
            os.fsync(directory)
            os.close(directory)
        except OSError as failed:
            raise Refused(f"a write failed: {failed}") from failed
        self.kept = wanted


# -- who talks to it


class Session(threading.Thread):
    """One connection, and what may be said on it."""

    def __init__(self, engine: "Engine", line: socket.socket, may: May) -> None:
        super().__init__(daemon=True)
        self.engine, self.line, self.may = engine, line, may
        self.user = ""
        self.queue: list[tuple[str, typing.Callable]] | None = None

    def run(self) -> None:
        """The whole conversation."""
        try:
            if self.may is STRANGERS:
                self.line.settimeout(PATIENCE)
                context = self.engine.context
                self.line = context.wrap_socket(self.line, server_side=True)
            with self.line.makefile("rwb") as words:
                while self._answered(words):
                    pass
        except OSError as failed:
            log(f"a connection ended: {failed}")
        finally:
            self.line.close()
            self.engine.sessions.discard(self)

    def _answered(self, words: io.BufferedRWPair) -> bool:
        values, stranger = self.engine.values, self.may is STRANGERS
        idle = 0 if self.may is AGENTS else values["idle_timeout"]
        self.line.settimeout(PATIENCE if stranger else idle or None)
        said = words.readline(SHORT if stranger else SHORT + 6 * values["max_value"])
        if not said.endswith(b"\n"):
            return False
        try:
            answer = {"ok": self.engine.do(self, said)}
        except Refused as refused:
            answer = {"error": str(refused)}
        words.write(json.dumps(answer).encode() + b"\n")
        words.flush()
        return True


class Engine:
    """Everything: what it was told, what it keeps, and who is there."""

    def __init__(self, main: str) -> None:
        self._main = main
        self.values = read(main)
        self.context = context_of(self.values)
        self.store = Store(self.values["data"])
        self.sessions: set[Session] = set()
        self._lock = threading.Lock()

    def serve(self) -> None:
        """For ever; ready is who listens."""
        os.umask(0o177)  # the socket's: its owner may open it, and root
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.values["socket"])
        near = socket.socket(socket.AF_UNIX)
        near.bind(self.values["socket"])
        near.listen()
        address, backlog = ("", self.values["port"]), self.values["backlog"]
        far = socket.create_server(address, backlog=backlog)
        threading.Thread(target=self._welcome, args=(near, AGENTS), daemon=True).start()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
        self._welcome(far, STRANGERS)

    def _welcome(self, listening: socket.socket, may: May) -> None:
        while True:
            line, _ = listening.accept()
            crowd = sum(each.may is not AGENTS for each in self.sessions.copy())
            if may is STRANGERS and crowd >= self.values["max_connections"]:
                line.close()
                continue
            session = Session(self, line, may)
            self.sessions.add(session)
            session.start()

    def do(self, session: Session, said: bytes) -> typing.Any:
        """One command, alone."""
        try:
            verb, *words = json.loads(said)
            count = session.may[verb]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise Refused("you cannot say that") from None
        texts = all(isinstance(word, str) for word in words)
        if not texts or count not in (None, len(words)):
            raise Refused(f"{verb} has other words after it")
        if self.values["log_commands"] and session.may is TENANTS:
            log(json.dumps([session.user, verb, *words]))
        with self._lock:
            return getattr(self, f"_{verb.lower()}")(session, *words)

    # -- what strangers and tenants say

    def _auth(self, session: Session, user: str, password: str) -> None:
        salt, kept = self.store.kept["users"].get(user, ["00", ""])
        if not hmac.compare_digest(hashed(password, salt), kept):
            raise Refused("there is no such user, or the password is another")
        session.user, session.may = user, TENANTS

    def _hello(self, session: Session) -> str:
        return f"Toy {VERSION}"

    def _echo(self, session: Session, text: str) -> str:
        return text

    def _get(self, session: Session, key: str) -> str:
        return self.store.kept["keys"].get(key, "")

    def _set(self, session: Session, key: str, value: str) -> None:
        self._change(session, key, lambda before: value)

    def _append(self, session: Session, key: str, more: str) -> None:
        self._change(session, key, lambda before: before + more)

    def _del(self, session: Session, key: str) -> None:
        self._change(session, key, lambda before: "")

    def _begin(self, session: Session) -> None:
        session.queue = []

    def _commit(self, session: Session) -> None:
        changes, session.queue = session.queue or [], None
        self._writable()
        self._apply(changes)

    def _change(self, session: Session, key: str, change: typing.Callable) -> None:
        self._writable()
        if session.queue is None:
            self._apply([(key, change)])
        else:
            session.queue.append((key, change))

    def _apply(self, changes: list[tuple[str, typing.Callable]]) -> None:
        keys = dict(self.store.kept["keys"])
        for key, change in changes:
            keys[key] = change(keys.get(key, ""))
            if len(keys[key]) > self.values["max_value"]:
                raise Refused("the value is too long")
        keys = {key: value for key, value in keys.items() if value}  # "": there is none
        self._keep(keys=keys, position=self.store.kept["position"] + 1)

    def _writable(self) -> None:
        if self.values["read_only"]:
            raise Refused("the engine is read-only")

    def _keep(self, **parts: typing.Any) -> None:
        self.store.keep(self.values["memory"], **parts)

    # -- what the agent says

    def _info(self, session: Session) -> dict[str, typing.Any]:
        position, read_only = self.store.kept["position"], self.values["read_only"]
        return {"version": VERSION, "position": position, "read_only": read_only}

    def _value(self, session: Session, name: str) -> typing.Any:
        return self.values.get(name)

    def _beat(self, session: Session, text: str) -> None:
        self._writable()
        self._keep(beat=text)

    def _reload(self, session: Session) -> list[str]:
        """The names that wait for a restart."""
        values = read(self._main)
        self.context = context_of(values)
        before = {name: self.values[name] for name in FIXED}
        self.values = values | before
        return [name for name in FIXED if values[name] != before[name]]

    def _users(self, session: Session) -> list[str]:
        return list(self.store.kept["users"])

    def _put(self, session: Session, *words: str) -> None:
        pairs = zip(words[::2], words[1::2], strict=True)
        new = {name: _kept(password) for name, password in pairs}
        self._keep(users=self.store.kept["users"] | new)

    def _rename(self, session: Session, old: str, new: str, password: str) -> None:
        """Without a password it keeps its own."""
        users = dict(self.store.kept["users"])
        kept = users.pop(old)
        users[new] = _kept(password) if password else kept
        self._keep(users=users)
        if new != old:
            self._send_away(old)

    def _drop(self, session: Session, name: str) -> None:
        users = dict(self.store.kept["users"])
        users.pop(name, None)
        self._keep(users=users)
        self._send_away(name)

    def _send_away(self, name: str) -> None:
        for session in self.sessions.copy():
            if session.user == name:
                with contextlib.suppress(OSError):  # it may have gone by itself
                    socket.socket.shutdown(session.line, socket.SHUT_RDWR)


def log(text: str) -> None:
    """A line for the journal."""
    print(text, file=sys.stderr, flush=True)


def main(words: list[str]) -> int:
    """The process."""
    try:
        match words:
            case ["--describe"]:
                print(json.dumps({"version": VERSION, "rules": rules()}))
            case ["--check", path]:
                read(path)
            case [path]:
                Engine(path).serve()
    except (Refused, ValueError) as refused:
        log(f"ERROR {refused}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
