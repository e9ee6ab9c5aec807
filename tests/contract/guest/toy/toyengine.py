# SPDX-License-Identifier: Apache-2.0
"""A toy engine that is real: its server is a process, its databases are files.

A test makes a module ``toy_<n>`` that calls ``engine(host, home)``. In ``home`` are the
data directory, and ``orders.json``: ``{"die_in": method, "fail_in": method, "block_in":
method}``, by which the test has the toy behave badly in a child it cannot reach.
"""

import contextlib
import json
import os
import pathlib
import signal
import time
import urllib.parse
import uuid

from trove import errors
from trove.datastores.archives import LogFile, Lost, in_a_row
from trove.datastores.protocol import Health, Source, Stage
from trove.datastores.rows import Hashes, Table, tried
from trove.datastores.saving import Mark, NoIncrement


class Tool:
    """Saves one file, ``goods``; an increment is the same again, and there is none of
    what is ``gone``."""

    def __init__(self, engine, host, data):
        self._enter = engine._enter
        self._host, self._data = host, data
        self._rows = Rows(data)

    def stages(self, work, since=None):
        if since is not None and "gone" in since.words:
            raise NoIncrement(why="its log is gone")
        (pathlib.Path(work) / "since").write_text(repr(since and since.words))
        return (Stage(("cat", str(self._data / "goods"))),)

    def mark(self, work):
        return Mark({"at": "7"}, (self._data / "goods").stat().st_size)

    def taking(self, work, number):
        there = f"{work}/{number}"
        self._host.make_directory(there)
        return (Stage(("tee", f"{there}/goods")),)

    def together(self, work, links):
        self._host.rename(f"{work}/{links - 1}", str(self._data / "data"))
        self._enter("together")

    def settle(self):
        if (self._data / "data" / "torn").exists():
            raise errors.EngineFailed(why="goods does not survive a power cut")

    def taken_over(self):
        (self._data / "data" / "pid").unlink(missing_ok=True)

    def check(self):
        if (self._data / "data" / "sick").exists():
            raise errors.EngineFailed(why="toy-check: goods is corrupt")

    def rows(self):
        return self._rows


class Rows:
    """The one table that there is has the rows that its file says; a file ``locked``
    is why it cannot be read."""

    def __init__(self, data):
        self._data = data

    def expect(self, limits):
        self._limits = limits

    def taken(self, mark):
        self._limits.wanted()
        return tried(lambda: self._read(self._data / "goods"))

    def again(self, tables, seconds):
        return self._read(self._data / "data" / "goods")

    def _read(self, path):
        if (self._data / "locked").exists():
            raise errors.EngineFailed(why="goods is locked")
        said = path.read_bytes()
        return Hashes((Table(("toy", "goods"), len(said), said.hex()[:64]),))


class Archive:
    """A log of files that have a number for a name; the last one is written."""

    def __init__(self, engine, data):
        self._enter, self._home = engine._enter, data / "log"
        self._data = data
        self._home.mkdir(parents=True, exist_ok=True)
        if not self._numbers():
            self.begin()

    def begin(self):
        """A log that has nothing to do with the one before."""
        for number in self._numbers():
            (self._home / str(number)).unlink()
        (self._home / "born").write_text(str(uuid.uuid4()))
        (self._home / "1").touch()

    def _numbers(self):
        return sorted(int(path.name) for path in self._home.glob("[0-9]*"))

    def write(self, text):
        with (self._home / str(self._numbers()[-1])).open("a") as file:
            file.write(text)

    @property
    def held(self):
        return (self._home / "held").exists()

    def hold(self, after):
        self._enter("hold")
        (self._home / "held").touch()
        return self._numbers()[-1] - 1 if after is None else after

    def known(self, after):
        self._enter("known")
        if after + 1 not in self._numbers():
            raise Lost(why=f"number {after + 1} is not there")
        return (self._home / "born").read_text()

    def cut(self):
        self._enter("cut")
        (self._home / str(self._numbers()[-1] + 1)).touch()

    def ready(self, after):
        self._enter("ready")
        files = [
            LogFile(number, str(number), (self._home / str(number)).stat().st_size)
            for number in self._numbers()[:-1]
        ]
        return in_a_row(files, after)

    def behind(self, after):
        names = (self._home / str(n) for n in self._numbers() if n > after)
        return sum(path.stat().st_size for path in names)

    def stages(self, files):
        self._enter("stages")
        argv = ("tar", "--create", f"--directory={self._home}", "--file=-")
        return (Stage((*argv, *(file.name for file in files))),)

    def release(self, place):
        self._enter("release")
        for number in self._numbers():
            if number <= place:
                (self._home / str(number)).unlink()

    def let_go(self):
        self._enter("let_go")
        (self._home / "held").unlink(missing_ok=True)

    def replay(self, work, words, log, target):
        self._enter("replay")
        with (self._data / "data/goods").open("ab") as goods:
            while log.more():
                for name in log.names:
                    goods.write(pathlib.Path(log.directory, name).read_bytes())
                    log.drop(name)
            goods.write(f" to {target.until} since {words['at']}".encode())


class Engine:
    def __init__(self, host, home):
        self._host = host
        self._home = pathlib.Path(home)
        self._data = self._home / "data"
        self.accounts = self

    # -- what the test orders

    def _enter(self, method):
        with (self._home / "calls").open("a") as calls:
            calls.write(method + "\n")
        orders = self._home / "orders.json"
        wanted = json.loads(orders.read_text()) if orders.exists() else {}
        if wanted.get("die_in") == method:
            os.kill(os.getpid(), signal.SIGKILL)
        if wanted.get("fail_in") == method:
            raise errors.EngineFailed(why=f"ordered to fail in {method}")
        if wanted.get("break_in") == method:
            raise LookupError("the password is hunter2")
        if wanted.get("block_in") == method:
            (self._home / "blocked").write_text(str(os.getpid()))
            while (self._home / "orders.json").exists():
                time.sleep(0.02)

    # -- the protocol

    def configure(self, sizing, tls, group, server_id):
        self._enter("configure")
        self._host.make_directory(str(self._data))
        for path in (tls.pair, tls.ca):
            assert pathlib.Path(path).read_text()
        text = f"memory={sizing.memory}\nserver_id={server_id}\n"
        self._host.write_file(str(self._data / "toy.conf"), text)

    def initialise(self, sizing, tls):
        self._enter("initialise")
        self._host.make_directory(str(self._data / "databases"))
        self._host.make_directory(str(self._data / "accounts"))

    def regroup(self, sizing, group, server_id):
        self._enter("regroup")
        before = self._data / "before.json"
        if not before.exists():
            before.write_text(json.dumps(self._group()))
        (self._data / "group.json").write_text(json.dumps(group))
        return tuple(sorted(name for name in group if name.startswith("slow_")))

    def keep_group(self):
        (self._data / "before.json").unlink(missing_ok=True)

    def retreat(self):
        before = self._data / "before.json"
        if not before.exists():
            return False
        before.rename(self._data / "group.json")
        return True

    def _group(self):
        path = self._data / "group.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def logs(self):
        return {"general": Source(path=str(self._home / "general.log"))}

    def set_log(self, name, on):
        self._enter(f"set_log:{name}:{on}")

    def reopen_log(self, name):
        self._enter(f"reopen_log:{name}")

    def start(self):
        self._enter("start")
        if self._group().get("broken"):
            raise errors.EngineFailed(why="the value of broken is of no use")
        if self._pid() is None:
            pid = self._host.start(["/bin/sleep", "1000"], {})
            (self._data / "pid").write_text(str(pid))

    def stop(self):
        self._enter("stop")
        pid = self._pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        (self._data / "pid").unlink(missing_ok=True)

    def restart(self):
        self._enter("restart")
        self.stop()
        self.start()

    def health(self):
        if not (self._data / "pid").exists():
            return Health("stopped")
        pid = self._pid()
        if pid is None:
            return Health("crashed", "the process is gone")
        if self._state(pid) == "T":
            time.sleep(2.5)
            return Health("running", "it does not answer")
        if (self._data / "read_only").exists():
            return Health("read_only", "writes are refused", version="1.0")
        return Health("healthy", role="primary", position="7", version="1.0")

    def set_read_only(self, on):
        if on:
            (self._data / "read_only").write_text("")
        else:
            (self._data / "read_only").unlink(missing_ok=True)

    def upgrade(self):
        self._enter("upgrade")

    def backups(self):
        return Tool(self, self._host, self._data)

    def archive(self):
        return Archive(self, self._data)

    def dumps(self):
        return self

    @contextlib.contextmanager
    def saying(self, database):
        self._enter("saying")
        if not self.has_database(database):
            raise errors.DatabaseNotFound(database=database)
        yield (Stage(("cat", "--", str(self._database(database)))),)

    @contextlib.contextmanager
    def taking(self, database, begin):
        """It takes what ``dd`` takes, and nothing that begins with REFUSED."""
        self._enter("taking")
        if begin.startswith(b"REFUSED"):
            raise errors.Invalid(why="that is no dump of a toy's")
        there = self._database(database)
        yield (Stage(("dd", "status=none", f"of={there}")),)
        self._enter("taken")

    def forget(self, database=None):
        self._enter("forget")

    def has_database(self, name):
        return self._database(name).exists()

    def delete_database(self, name):
        self._enter("delete_database")
        self._database(name).unlink()

    def _database(self, name):
        return self._data / "databases" / urllib.parse.quote(name, safe="")

    def unload(self, directory):
        self._enter("unload")
        self.stop()
        self._host.remove(directory)
        self._host.make_directory(directory)
        for path in (self._data / "databases").iterdir():
            (pathlib.Path(directory) / path.name).write_text(path.read_text())

    def load(self, directory):
        self._enter("load")
        for path in pathlib.Path(directory).iterdir():
            (self._data / "databases" / path.name).write_text(path.read_text())

    def load_certificate(self, tls):
        self._enter("load_certificate")
        pair = pathlib.Path(tls.pair).read_text()
        (self._data / "mode").write_text(tls.mode)
        (self._data / "loaded.ca").write_text(pathlib.Path(tls.ca).read_text())
        if self._refused() not in pair:
            (self._data / "loaded.pem").write_text(pair)

    def shown(self):
        self._enter("shown")
        return (
            (self._data / "loaded.pem").read_text().partition("PRIVATE KEY-----\n")[2]
        )

    def hold_mode(self):
        self._enter("hold_mode")

    def _refused(self):
        """What a pair must not say; a word that none says."""
        orders = self._home / "orders.json"
        wanted = json.loads(orders.read_text()) if orders.exists() else {}
        return wanted.get("refuse", "no pair says this")

    def create_databases(self, databases):
        self._enter("create_databases")
        for database in databases:
            name = urllib.parse.quote(database.name, safe="")
            (self._data / "databases" / name).touch()

    def create_accounts(self, accounts):
        self._enter("create_accounts")
        for account in accounts:
            name = urllib.parse.quote(account.name, safe="")
            (self._data / "accounts" / name).write_text(account.password)

    # -- its process

    def _state(self, pid):
        line = pathlib.Path(f"/proc/{pid}/stat").read_text()
        return line.rpartition(")")[2].split()[0]

    def _pid(self):
        try:
            pid = int((self._data / "pid").read_text())
            return pid if self._state(pid) not in "ZX" else None
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None


def engine(host, home):
    return Engine(host, home)
