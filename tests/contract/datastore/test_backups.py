# SPDX-License-Identifier: Apache-2.0
"""Data that were saved while they were written come back, row by row (INV-10).

Through all that a backup goes through: the engine's tool, zstd, frames, parts, and on
another machine the way back. Each link of a chain of three is restored.
"""

import contextlib
import dataclasses
import functools
import hashlib
import pathlib
import threading
import typing

import pytest

from tests.contract.datastore.conftest import Lab, laboratory
from trove import errors
from trove.datastores import registry
from trove.datastores.protocol import Mark
from trove.guestagent import backups
from trove.model.states import Service
from trove.storage.frames import Broken
from trove.storage.manifest import Part

FULL = [("mariadb", "10.11"), ("postgresql", "15"), ("mariadb", "11.8")]
FULL += [("postgresql", "17")]
CHAINED = [each for each in FULL if each[0] == "mariadb"]
"""Whose increments are the tool's own."""
KEY, ABOUT = b"k" * 32, b"backup"
ROWS = 2000

TABLE = "CREATE TABLE goods (id INT PRIMARY KEY, name VARCHAR(40), raw TEXT)"


@dataclasses.dataclass
class Link:
    """A backup as it is stored; what the rows were when nobody wrote."""

    parts: tuple[Part, ...]
    data: dict[int, bytes]
    mark: Mark
    rows: str


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    every = metafunc.config.getoption("all_datastores")
    if "kind" in metafunc.fixturenames:
        params = [
            pytest.param(
                each,
                id="-".join(each),
                marks=[getattr(pytest.mark, each[0]), pytest.mark.root],
            )
            for each in (CHAINED if "chain" in metafunc.fixturenames else FULL)
            if every or registry.get(each[0]).builds[0].version == each[1]
        ]
        metafunc.parametrize("kind", params, scope="module")


@pytest.fixture(scope="module")
def source(kind: tuple[str, str]) -> typing.Iterator[Lab]:
    with laboratory(*kind) as lab:
        lab.account("ada", "the word", "shop")
        with said(lab) as run:
            run(TABLE)
        yield lab


@contextlib.contextmanager
def said(lab: Lab) -> typing.Iterator[typing.Any]:
    with lab.client.login("ada", "the word", "shop") as run:
        yield run


def fill(lab: Lab, beginning: int, number: int = ROWS) -> None:
    with said(lab) as run:
        for n in range(beginning, beginning + number, 500):
            some = range(n, n + 500)
            rows = ", ".join(f"({i}, 'thing {i}', MD5('{i}'))" for i in some)
            run(f"INSERT INTO goods VALUES {rows}")


def rows(lab: Lab) -> str:
    with said(lab) as run:
        found = run("SELECT * FROM goods ORDER BY id")
    return hashlib.sha256(repr(found).encode()).hexdigest()


def save(lab: Lab, work: pathlib.Path, since: Mark | None = None) -> Link:
    tool = lab.engine.backups()
    data: dict[int, bytes] = {}
    work.mkdir()
    put = data.__setitem__
    made = backups.save(lab.machine, tool, str(work), since, KEY, ABOUT, put)
    return Link(made.parts, data, made.mark, rows(lab))


@contextlib.contextmanager
def restored(kind: tuple[str, str], links: list[Link]) -> typing.Iterator[Lab]:
    """A new machine with that chain, and nothing but it."""
    with laboratory(*kind) as lab:
        lab.engine.stop()
        lab.machine.remove(f"{volume(lab)}/data")
        tool, work = lab.engine.backups(), f"{volume(lab)}/restore"
        owner = registry.get(lab.name).user
        lab.machine.make_directory(work, mode=0o700, owner=owner)
        chain = [
            backups.Link(link.parts, KEY, ABOUT, functools.partial(got, link))
            for link in links
        ]
        backups.restore(lab.machine, tool, work, chain)
        lab.engine.start()
        yield lab


def got(link: Link, number: int, size: int) -> bytes:
    return link.data[number]


def volume(lab: Lab) -> str:
    return lab.machine.path(registry.get(lab.name).data)


@pytest.fixture(scope="module")
def chain(source: Lab, tmp_path_factory: pytest.TempPathFactory) -> list[Link]:
    """A full one and two increments, each of what came meanwhile."""
    work = tmp_path_factory.mktemp("work")
    links: list[Link] = []
    fill(source, 0, 40 * ROWS)
    for number in range(3):
        fill(source, (40 + number) * ROWS)
        source.engine.restart()  # a checkpoint, which load would bring by itself
        since = links[-1].mark if links else None
        links.append(save(source, work / str(number), since))
    return links


@pytest.mark.parametrize("links", [1, 2, 3])
def test_each_link_of_a_chain_comes_back_row_by_row(
    kind: tuple[str, str], chain: list[Link], links: int
) -> None:
    with restored(kind, chain[:links]) as lab:
        assert rows(lab) == chain[links - 1].rows
        assert lab.engine.health().state == Service.HEALTHY
        fill(lab, 10**6)  # it goes on from there


def test_an_increment_is_small_and_says_where_it_begins(chain: list[Link]) -> None:
    full, first, second = (sum(p.size for p in link.parts) for link in chain)
    assert max(first, second) < full / 2
    begins = [link.mark.words["since"] for link in chain]
    ends = [link.mark.words["lsn"] for link in chain]
    assert begins == ["0", *ends[:2]]
    assert all(link.mark.size > 2**20 for link in chain)


def test_what_is_written_meanwhile_is_in_it_or_is_not(
    kind: tuple[str, str], source: Lab, tmp_path: pathlib.Path
) -> None:
    """A moment of the database: of each transaction all, or nothing."""
    ended = threading.Event()
    begun = threading.Event()

    def write() -> None:
        with said(source) as run:
            run("CREATE TABLE pairs (n INT PRIMARY KEY, half INT)")
            number = 0
            while not ended.is_set():
                run("START TRANSACTION")
                run(f"INSERT INTO pairs VALUES ({number}, 1)")
                run(f"INSERT INTO pairs VALUES ({number + 1}, 2)")
                run("COMMIT")
                begun.set()
                number += 2

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert begun.wait(30)
        link = save(source, tmp_path / "work")
    finally:
        ended.set()
        writer.join()
    with restored(kind, [link]) as lab, said(lab) as run:
        ((number, last, halves),) = run(
            "SELECT COUNT(*), MAX(n) + 1, COUNT(NULLIF(half, 2)) FROM pairs"
        )
        assert number == last == 2 * halves > 0


def test_a_tool_that_dies_has_made_no_backup(
    source: Lab, tmp_path: pathlib.Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    stages = source.engine.backups().stages(str(work))
    with (
        pytest.raises(errors.CommandFailed),
        source.machine.reading(*stages) as stream,
    ):
        source.engine.stop()
        while stream.read(2**20):
            pass
    source.engine.start()


def test_links_that_do_not_belong_together_are_refused(
    kind: tuple[str, str], chain: list[Link]
) -> None:
    with pytest.raises(errors.EngineFailed), restored(kind, [chain[0], chain[2]]):
        pass


def test_a_full_one_comes_back_row_by_row(
    kind: tuple[str, str], source: Lab, tmp_path: pathlib.Path
) -> None:
    link = save(source, tmp_path / "work")
    with restored(kind, [link]) as lab:
        assert rows(lab) == link.rows
        assert lab.engine.health().state == Service.HEALTHY


def test_a_bit_that_was_turned_is_refused_before_it_is_prepared(
    kind: tuple[str, str], source: Lab, tmp_path: pathlib.Path
) -> None:
    full = save(source, tmp_path / "work")
    wrong = bytearray(full.data[0])
    wrong[len(wrong) // 2] ^= 1
    link = dataclasses.replace(full, data={**full.data, 0: bytes(wrong)})
    with pytest.raises((Broken, errors.CommandFailed)), restored(kind, [link]):
        pass
