# SPDX-License-Identifier: Apache-2.0
"""Data that were saved while they were written come back, row by row (INV-10).

A store of keys has them come back key by key, with the moment at which each goes.
Through all that a backup goes through: the engine's tool, zstd, frames, parts, and on
another machine the way back. Each link of a chain of three is restored.
"""

import contextlib
import dataclasses
import functools
import hashlib
import os
import pathlib
import signal
import threading
import time
import typing

import pytest

from tests.brought import into
from tests.contract.datastore.conftest import Lab, concerns, laboratory, param
from trove import errors
from trove.datastores import registry
from trove.datastores.rows import Hashes, Limits
from trove.datastores.saving import Mark, NoIncrement
from trove.guestagent import backups
from trove.model.states import Service
from trove.storage import pipeline
from trove.storage.frames import Broken
from trove.storage.manifest import Part

FULL = [("mariadb", "10.11"), ("postgresql", "15"), ("mariadb", "11.8")]
FULL += [("postgresql", "17"), ("mysql", "9.7"), ("valkey", "8.1")]
CHAINED = [each for each in FULL if registry.get(each[0]).chains(each[1])]
"""Whose increments are the tool's own."""
NOTED = [each for each in CHAINED if each[0] == "postgresql"]
"""Whose server notes what is written, for increments."""
COPIED = [each for each in FULL if each[0] == "mysql"]
"""Whose server makes a copy on the volume first."""
SERVED = ("mariadb", "postgresql")
"""Whose tool lives of the server as long as it says something; what the others say is
whole when they begin to."""
SPOILT = {
    "mysql": ("shop/goods.ibd", "innochecksum"),
    "postgresql": ("global/pg_filenode.map", "pg_verifybackup"),
    "valkey": ("", "valkey-check-rdb"),
}
"""Whose files are checked before they are the data: one of them, and by what. The
others' own tools compare no checksums on this way."""
SERVED_FROM = {
    "mariadb": ("shop/goods.ibd", "mariadb-check"),
    "mysql": ("shop/goods.ibd", "mysqlcheck"),
    "postgresql": ("base/*/*", "pg_amcheck"),
    "valkey": ("aof/*.base.rdb", "valkey-check-rdb"),
}
"""The files that rows are read from, and who reads all of them."""
KEY, ABOUT = b"k" * 32, b"backup"
ROWS = 2000

Run = typing.Callable[[str], list[tuple[typing.Any, ...]]]


def noise(number: int) -> str:
    """What is not pressed to nothing, and is the same each time."""
    return hashlib.sha256(str(number).encode()).hexdigest()


class Tables:
    """What is written, and what is found, in SQL."""

    def make(self, run: Run) -> None:
        run("CREATE TABLE goods (id INT PRIMARY KEY, name VARCHAR(40), raw TEXT)")

    def fill(self, run: Run, some: range) -> None:
        rows = ", ".join(f"({i}, 'thing {i}', '{noise(i)}')" for i in some)
        run(f"INSERT INTO goods VALUES {rows}")

    def found(self, run: Run) -> typing.Any:
        return run("SELECT * FROM goods ORDER BY id")

    def make_pairs(self, run: Run) -> None:
        run("CREATE TABLE pairs (n INT PRIMARY KEY, half INT)")

    def pair(self, run: Run, number: int) -> None:
        run("START TRANSACTION")
        run(f"INSERT INTO pairs VALUES ({2 * number}, 1)")
        run(f"INSERT INTO pairs VALUES ({2 * number + 1}, 2)")
        run("COMMIT")

    def pairs(self, run: Run) -> int:
        """How many there are, none of them without its half, or one before it."""
        ((number, last, halves),) = run(
            "SELECT COUNT(*), MAX(n) + 1, COUNT(NULLIF(half, 2)) FROM pairs"
        )
        assert number == last == 2 * halves
        return int(halves)


class Keys:
    """The same of a store of keys: each third one goes at a moment of its own."""

    LATER = 4 * 10**12

    def make(self, run: Run) -> None:
        run("HSET kinds number 1 text two")
        run("ZADD ranks 1 first 2.5 second")

    def fill(self, run: Run, some: range) -> None:
        run("MSET " + " ".join(f"good:{i} {noise(i)}" for i in some))
        for i in some[::3]:
            run(f"PEXPIREAT good:{i} {self.LATER + i}")

    def found(self, run: Run) -> typing.Any:
        ((names,),) = run("KEYS *")
        names = sorted(names)
        goods = [name for name in names if name.startswith("good:")]
        values = [run(f"MGET {' '.join(goods[n : n + 500])}") for n in _steps(goods)]
        times = [run(f"PEXPIRETIME {name}") for name in names]
        rest = run("HGETALL kinds"), run("ZRANGE ranks 0 -1 WITHSCORES")
        return names, values, times, rest

    def make_pairs(self, run: Run) -> None:
        run("DEL left right")

    def pair(self, run: Run, number: int) -> None:
        run("MULTI")
        run(f"RPUSH left {number}")
        run(f"RPUSH right {number}")
        run("EXEC")

    def pairs(self, run: Run) -> int:
        left, right = run("LRANGE left 0 -1"), run("LRANGE right 0 -1")
        ((numbers,),) = left
        assert left == right and numbers == [str(n) for n in range(len(numbers))]
        return len(numbers)


def _steps(names: list[str]) -> range:
    return range(0, len(names), 500)


def content(lab: Lab) -> Tables | Keys:
    return Tables() if lab.can.databases else Keys()


@dataclasses.dataclass
class Link:
    """A backup as it is stored; what the rows were when nobody wrote."""

    parts: tuple[Part, ...]
    data: dict[int, bytes]
    mark: Mark
    rows: str
    hashes: Hashes | None = None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    every = metafunc.config.getoption("all_datastores")
    if "kind" in metafunc.fixturenames:
        params = [
            param(each)
            for each in kinds(metafunc.fixturenames)
            if every or registry.get(each[0]).builds[0].version == each[1]
            if concerns(metafunc, *each)
        ]
        metafunc.parametrize("kind", params, scope="module")


def kinds(fixtures: typing.Collection[str]) -> list[tuple[str, str]]:
    if "chain" in fixtures:
        return CHAINED
    if "noted" in fixtures:
        return NOTED
    return COPIED if "copied" in fixtures else FULL


@pytest.fixture(scope="module")
def source(kind: tuple[str, str]) -> typing.Iterator[Lab]:
    with laboratory(*kind) as lab:
        lab.account("ada", "the word", "shop")
        with said(lab) as run:
            content(lab).make(run)
        yield lab


@contextlib.contextmanager
def said(lab: Lab) -> typing.Iterator[typing.Any]:
    with lab.client.login("ada", "the word", "shop") as run:
        yield run


def fill(lab: Lab, beginning: int, number: int = ROWS) -> None:
    with said(lab) as run:
        for n in range(beginning, beginning + number, 500):
            content(lab).fill(run, range(n, n + 500))


def rows(lab: Lab) -> str:
    with said(lab) as run:
        found = content(lab).found(run)
    return hashlib.sha256(repr(found).encode()).hexdigest()


@contextlib.contextmanager
def working(lab: Lab, name: str) -> typing.Iterator[str]:
    """A directory of the job's on the volume, as the agent makes it."""
    work = f"{volume(lab)}/{name}"
    owner = registry.get(lab.name).user
    lab.machine.make_directory(work, mode=0o700, owner=owner)
    try:
        yield work
    finally:
        lab.machine.remove(work)


def save(
    lab: Lab,
    since: Mark | None = None,
    compared: bool = True,
    or_full: bool = False,
    hashing: float | None = None,
) -> Link:
    tool = lab.engine.backups()
    data: dict[int, bytes] = {}
    with working(lab, "backup") as work:
        made = backups.save(
            *(lab.machine, tool, work, since, KEY, ABOUT, into(data)),
            or_full=or_full,
            rows=None if hashing is None else Limits(hashing),
        )
    assert made.full == (since is None or or_full)
    said = rows(lab) if compared else ""
    return Link(made.parts, data, made.mark, said, made.rows)


@contextlib.contextmanager
def bare(
    kind: tuple[str, str], place: str | None = None
) -> typing.Iterator[tuple[Lab, str]]:
    """A new machine without data, and a directory to bring some into."""
    with laboratory(*kind, place) as lab:
        lab.engine.stop()
        lab.machine.remove(f"{volume(lab)}/data")
        with working(lab, "restore") as work:
            yield lab, work


@contextlib.contextmanager
def restored(kind: tuple[str, str], links: list[Link]) -> typing.Iterator[Lab]:
    """A new machine with that chain, and nothing but it."""
    with bare(kind) as (lab, work):
        chain = [stored(link) for link in links]
        backups.restore(lab.machine, lab.engine.backups(), work, chain)
        lab.engine.start()
        yield lab


def stored(link: Link) -> backups.Link:
    return backups.Link(link.parts, KEY, ABOUT, functools.partial(got, link))


def got(link: Link, number: int, size: int) -> bytes:
    return link.data[number]


def volume(lab: Lab) -> str:
    return lab.machine.path(registry.get(lab.name).data)


@pytest.fixture(scope="module")
def chain(source: Lab) -> list[Link]:
    """A full one and two increments, each of what came meanwhile."""
    links: list[Link] = []
    fill(source, 0, 40 * ROWS)
    for number in range(3):
        fill(source, (40 + number) * ROWS)
        source.engine.restart()  # a checkpoint, which load would bring by itself
        since = links[-1].mark if links else None
        links.append(save(source, since))
    return links


@pytest.mark.parametrize("links", [1, 2, 3])
def test_each_link_of_a_chain_comes_back_row_by_row(
    kind: tuple[str, str], chain: list[Link], links: int
) -> None:
    with restored(kind, chain[:links]) as lab:
        assert rows(lab) == chain[links - 1].rows
        assert lab.engine.health().state == Service.HEALTHY
        fill(lab, 10**6)  # it goes on from there


def test_an_increment_is_small_and_says_where_it_begins(
    kind: tuple[str, str], chain: list[Link]
) -> None:
    full, first, second = (sum(p.size for p in link.parts) for link in chain)
    assert max(first, second) < full / 2
    begins = [link.mark.words.get("since", "0") for link in chain]
    end = {"postgresql": "manifest", "mysql": "binlog"}.get(kind[0], "lsn")
    ends = [link.mark.words[end] for link in chain]
    assert begins == ["0", *ends[:2]]
    assert all(link.mark.size > 2**20 for link in chain)


def test_what_is_written_meanwhile_is_in_it_or_is_not(
    kind: tuple[str, str], source: Lab
) -> None:
    """A moment of the database: of each transaction all, or nothing."""
    with written(source):
        link = save(source)
    with restored(kind, [link]) as lab, said(lab) as run:
        assert content(lab).pairs(run) > 0


@contextlib.contextmanager
def written(lab: Lab) -> typing.Iterator[None]:
    """A tenant writes all the time, one transaction after another."""
    ended = threading.Event()
    begun = threading.Event()

    def write() -> None:
        with said(lab) as run:
            content(lab).make_pairs(run)
            number = 0
            while not ended.is_set():
                content(lab).pair(run, number)
                begun.set()
                number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert begun.wait(30)
        yield
    finally:
        ended.set()
        writer.join()


@pytest.mark.engines(*SERVED)
def test_a_tool_whose_server_dies_has_made_no_backup(source: Lab) -> None:
    with working(source, "backup") as work:
        stages = source.engine.backups().stages(work)
        with (
            pytest.raises(errors.CommandFailed),
            source.machine.reading(*stages) as stream,
        ):
            source.engine.stop()
            while stream.read(2**20):
                pass
    source.engine.start()


def test_a_tool_that_dies_has_made_no_backup(source: Lab) -> None:
    fill(source, 2 * 10**6, 8 * ROWS)  # more than what pipes hold
    with working(source, "backup") as work:
        stages = source.engine.backups().stages(work)
        before = children()
        with (
            pytest.raises(errors.CommandFailed),
            source.machine.reading(*stages) as stream,
        ):
            tool, *_ = sorted(children() - before)
            assert stream.read(1)
            os.kill(tool, signal.SIGKILL)
            while stream.read(2**20):
                pass


def children() -> set[int]:
    """The programs that this process has begun."""
    tasks = pathlib.Path("/proc/self/task").iterdir()
    return {int(n) for task in tasks for n in (task / "children").read_text().split()}


def test_links_that_do_not_belong_together_are_refused(
    kind: tuple[str, str], chain: list[Link]
) -> None:
    with pytest.raises(errors.EngineFailed), restored(kind, [chain[0], chain[2]]):
        pass


def test_a_full_one_comes_back_row_by_row(kind: tuple[str, str], source: Lab) -> None:
    link = save(source)
    with restored(kind, [link]) as lab:
        assert rows(lab) == link.rows
        assert lab.engine.health().state == Service.HEALTHY
        lab.engine.upgrade()
        fill(lab, 10**6)  # it goes on from there, also when it is started again
        more = rows(lab)
        lab.engine.restart()
        assert rows(lab) == more != link.rows


def test_a_bit_that_was_turned_is_refused_before_it_is_prepared(
    kind: tuple[str, str], source: Lab
) -> None:
    full = save(source)
    wrong = bytearray(full.data[0])
    wrong[len(wrong) // 2] ^= 1
    link = dataclasses.replace(full, data={**full.data, 0: bytes(wrong)})
    with pytest.raises((Broken, errors.CommandFailed)), restored(kind, [link]):
        pass


@pytest.mark.engines(*SPOILT)
def test_a_bit_that_was_turned_before_it_was_saved_is_refused(
    kind: tuple[str, str], source: Lab
) -> None:
    """By the engine's own checksums, so that no sick data become a database."""
    name, checker = SPOILT[source.name]
    with working(source, "backup") as work:
        with source.machine.reading(*source.engine.backups().stages(work)) as stream:
            said = stream.read()
    with bare(kind) as (lab, work):
        tool = lab.engine.backups()
        with lab.machine.writing(*tool.taking(work, 0)) as sink:
            sink.write(said)
        path = pathlib.Path(work, "0", name)
        wrong = bytearray(path.read_bytes())
        wrong[len(wrong) // 2] ^= 1
        path.write_bytes(wrong)
        with pytest.raises(errors.EngineFailed, match=checker):
            tool.together(work, 1)
        assert not lab.machine.exists(f"{volume(lab)}/data")


def test_what_is_restored_is_checked_and_what_is_sick_is_found(
    kind: tuple[str, str], source: Lab
) -> None:
    """A bit of a row, on the disk of a database that serves all others (INV-10)."""
    fill(source, 3 * 10**6)
    link = save(source)
    with restored(kind, [link]) as lab:
        tool = lab.engine.backups()
        tool.check()
        assert rows(lab) == link.rows, "a check changes nothing"
        where, checker = SERVED_FROM[lab.name]
        if lab.can.databases:  # what has pages has them in memory
            lab.engine.stop()
        turn_a_bit(lab, where, noise(3 * 10**6 + 5).encode())
        if lab.can.databases:
            lab.engine.start()
        with pytest.raises(errors.EngineFailed, match=checker):
            tool.check()


def turn_a_bit(lab: Lab, where: str, of: bytes) -> None:
    """Of a value, in the file that has it."""
    files = pathlib.Path(volume(lab), "data").glob(where)
    (path,) = (file for file in files if file.is_file() and of in file.read_bytes())
    wrong = bytearray(path.read_bytes())
    wrong[wrong.index(of) + 9] ^= 1
    path.write_bytes(wrong)


@pytest.fixture
def noted(source: Lab) -> Lab:
    """One whose server notes which blocks were written, and forgets it again."""
    return source


def test_what_was_not_noted_is_refused_or_is_in_a_full_one(
    kind: tuple[str, str], noted: Lab
) -> None:
    full = save(noted)
    fill(noted, 4 * 10**6)
    forget(noted, full.mark.words["begin"])
    with pytest.raises(NoIncrement, match="of some of the time .* must be full"):
        save(noted, full.mark)
    instead = save(noted, full.mark, or_full=True)
    assert instead.mark.words["since"] == "0"
    with restored(kind, [instead]) as lab:
        assert rows(lab) == instead.rows != full.rows


def forget(lab: Lab, begin: str) -> None:
    """The note of what was written at that place of the log is lost."""
    which = (
        "SELECT tli, start_lsn::text, end_lsn::text FROM pg_available_wal_summaries() "
        f"WHERE start_lsn <= '{begin}' AND end_lsn > '{begin}'"
    )
    lab.client.admin("CHECKPOINT")
    end = time.monotonic() + 60
    while not (found := lab.client.admin(which)):
        assert time.monotonic() < end
        time.sleep(0.1)
    for timeline, *places in found:
        names = [f"{int(h, 16):08X}{int(w, 16):08X}" for h, w in map(split, places)]
        summaries = pathlib.Path(volume(lab), "data/pg_wal/summaries")
        (summaries / f"{timeline:08X}{''.join(names)}.summary").unlink()


def split(place: str) -> tuple[str, str]:
    high, low = place.split("/")
    return high, low


def test_a_list_that_is_lost_or_was_changed_is_no_parent(noted: Lab) -> None:
    full = save(noted)
    (path,) = pathlib.Path(volume(noted)).glob(
        f".trove-manifests/{full.mark.words['manifest']}"
    )
    said = path.read_bytes()
    path.write_bytes(said.replace(b'"Size"', b'"size"', 1))
    with pytest.raises(NoIncrement, match="no list of its files"):
        save(noted, full.mark)
    path.unlink()
    with pytest.raises(NoIncrement, match="no list of its files"):
        save(noted, full.mark)


def test_the_lists_that_are_kept_are_few(noted: Lab) -> None:
    for _ in range(10):
        last = save(noted, compared=False)
    kept = {path.name for path in pathlib.Path(volume(noted)).glob(".trove-m*/*")}
    assert len(kept) == 8 and last.mark.words["manifest"] in kept
    assert save(noted, last.mark).mark.words["since"] == last.mark.words["manifest"]


def test_an_increment_of_another_servers_backup_is_refused(
    kind: tuple[str, str], noted: Lab
) -> None:
    with laboratory(*kind) as other:
        other.account("ada", "the word", "shop")
        theirs = save(other, compared=False)
        (path,) = pathlib.Path(volume(other)).glob(".trove-manifests/*")
        save(noted, compared=False)
        there = pathlib.Path(volume(noted), ".trove-manifests")
        (there / path.name).write_bytes(path.read_bytes())
    with pytest.raises((NoIncrement, errors.CommandFailed)):
        save(noted, theirs.mark)


def test_a_bit_of_an_increment_that_was_turned_is_found_before_it_is_data(
    kind: tuple[str, str], noted: Lab
) -> None:
    """The tool that puts a chain together compares nothing."""
    tool = noted.engine.backups()
    full, said = save(noted), b""
    with working(noted, "backup") as work:
        stages = tool.stages(work, full.mark)
        with noted.machine.reading(*stages) as stream:
            said = stream.read()
    with bare(kind) as (lab, work):
        tool = lab.engine.backups()
        taken(lab, work, full)
        with lab.machine.writing(*tool.taking(work, 1)) as sink:
            sink.write(said)
        path = min(pathlib.Path(work, "1").rglob("INCREMENTAL.*"))
        wrong = bytearray(path.read_bytes())
        wrong[-1] ^= 1
        path.write_bytes(wrong)
        with pytest.raises(errors.EngineFailed, match="pg_verifybackup"):
            tool.together(work, 2)
        assert not lab.machine.exists(f"{volume(lab)}/data")


def test_a_chain_whose_tool_dies_is_no_data_until_it_is_begun_again(
    kind: tuple[str, str], noted: Lab
) -> None:
    full = save(noted)
    fill(noted, 5 * 10**6)
    links = [stored(full), stored(more := save(noted, full.mark))]
    with bare(kind) as (lab, work):
        tool = lab.engine.backups()
        with (
            killed("pg_combinebackup"),
            pytest.raises(errors.EngineFailed, match="pg_combinebackup"),
        ):
            backups.restore(lab.machine, tool, work, links)
        assert not lab.machine.exists(f"{volume(lab)}/data")
        lab.machine.remove(work)
        with working(lab, "restore") as again:
            backups.restore(lab.machine, tool, again, links)
        lab.engine.start()
        assert rows(lab) == more.rows


@contextlib.contextmanager
def killed(program: str) -> typing.Iterator[None]:
    """A program that we begin in the block is killed."""
    found: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not found and not over.wait(0.002):
            for pid in children():
                with contextlib.suppress(OSError):
                    said = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                    if said.partition(b"\0")[0].endswith(program.encode()):
                        os.kill(pid, signal.SIGKILL)
                        found.append(pid)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    assert found


def taken(lab: Lab, work: str, link: Link) -> None:
    """A full one, as its tool said it."""
    stages = (backups.UNPRESS, *lab.engine.backups().taking(work, 0))
    with lab.machine.writing(*stages) as sink:
        get = functools.partial(got, link)
        for piece in pipeline.receive(link.parts, KEY, ABOUT, get):
            sink.write(piece)


@pytest.fixture
def copied(source: Lab) -> Lab:
    """One whose server makes a copy first, and goes on if nobody wants it any more."""
    return source


def test_what_is_restored_is_another_server_of_the_same_history(
    kind: tuple[str, str], copied: Lab
) -> None:
    link = save(copied)
    who = "SELECT @@server_uuid"
    with restored(kind, [link]) as lab:
        assert lab.client.admin(who) != copied.client.admin(who)
        words = link.mark.words["gtid_executed"]
        subset = f"SELECT GTID_SUBSET('{words}', @@GLOBAL.gtid_executed)"
        assert words and lab.client.admin(subset) == [(1,)]


def test_rows_that_would_be_left_out_are_no_backup(copied: Lab) -> None:
    with said(copied) as run:
        run("CREATE TABLE older (id INT PRIMARY KEY) ENGINE = MyISAM")
        with pytest.raises(errors.EngineFailed, match=r"older.*MyISAM"):
            save(copied)
        run("DROP TABLE older")
    assert save(copied).parts


def test_a_copy_that_nobody_wants_is_ended_by_the_next(copied: Lab) -> None:
    """A job that was killed leaves the server with its statement."""
    admin = copied.client.admin
    running = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE "

    def begun(word: str, statement: str) -> threading.Thread:
        def ask() -> None:
            with contextlib.suppress(copied.refused):
                admin(statement)

        thread = threading.Thread(target=ask)
        thread.start()
        end = time.monotonic() + 30
        while admin(f"{running} '{word}%'") != [(1,)]:
            assert time.monotonic() < end
        return thread

    with said(copied) as run, working(copied, "left") as left:
        run("START TRANSACTION")
        run("SELECT COUNT(*) FROM goods")
        # what waits for the tenant holds up a copy that lets no table change
        waits = begun("ALTER TABLE", "ALTER TABLE shop.goods COMMENT = 'new'")
        admin("SET GLOBAL clone_block_ddl = ON")
        clone = f"CLONE LOCAL DATA DIRECTORY = '{left}/copy'"
        left_over = begun("CLONE LOCAL", clone)
        with working(copied, "backup") as work:
            assert copied.engine.backups().stages(work)
        assert admin(f"{running} 'CLONE LOCAL%'") == [(0,)]
        run("ROLLBACK")
        for thread in (waits, left_over):
            thread.join()
