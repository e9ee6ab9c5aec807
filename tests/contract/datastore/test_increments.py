# SPDX-License-Identifier: Apache-2.0
"""Increments that are pieces of a log: all that was done is in them, or none is.

What is restored of the last link is the database as it was, with what is no row too;
and a log that is not what it was makes no increment, and no database.
"""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import time
import typing

import pytest

from tests.contract.datastore.conftest import Lab, laboratory
from tests.contract.datastore.shipping import ARCHIVE, Shipping
from tests.contract.datastore.shipping import KEY as LOGKEY
from tests.contract.datastore.test_backups import (
    ABOUT,
    KEY,
    Link,
    bare,
    fill,
    restored,
    said,
    save,
    stored,
    volume,
    working,
)
from trove import errors
from trove.datastores.archives import Lost, Short
from trove.datastores.classic import binlog, replay
from trove.datastores.protocol import Account
from trove.datastores.saving import Mark, NoIncrement
from trove.guestagent import backups, replaying
from trove.rpc.messages import ReplayOrder
from trove.storage import pipeline
from trove.storage.frames import Broken

KIND = ("mysql", "9.7")
NAME = "increment.json"

pytestmark = [pytest.mark.mysql, pytest.mark.root]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    every = metafunc.config.getoption("all_datastores")
    if "source" in metafunc.fixturenames:
        params = [pytest.param(KIND, id="-".join(KIND))] if every else []
        metafunc.parametrize("source", params, indirect=True, scope="module")


@pytest.fixture(scope="module")
def source(request: pytest.FixtureRequest) -> typing.Iterator[Lab]:
    with laboratory(*request.param) as lab:
        lab.account("ada", "the word", "shop")
        with said(lab) as run:
            run("CREATE TABLE goods (id INT PRIMARY KEY, name VARCHAR(40), raw TEXT)")
            run("CREATE TABLE left_over (id INT PRIMARY KEY)")
        yield lab


def look(lab: Lab) -> str:
    """All that a tenant has: rows, what tables are like, programs, users."""
    run = lab.client.admin
    schema = "WHERE table_schema = 'shop'"
    names = run(f"SELECT table_name FROM information_schema.tables {schema} ORDER BY 1")
    found: list[typing.Any] = [names, sorted(lab.client.users().items())]
    for (name,) in names:
        found.append(run(f"SHOW CREATE TABLE shop.{name}"))
        found.append(run(f"SELECT * FROM shop.{name} ORDER BY 1"))
    for what, of in (("trigger_name", "triggers"), ("routine_name", "routines")):
        column = of.removesuffix("s") + "_schema"
        asked = f"SELECT {what} FROM information_schema.{of} WHERE {column} = 'shop'"
        found.append(run(asked))
    return hashlib.sha256(repr(found).encode()).hexdigest()


def test_what_is_no_row_comes_back_too(source: Lab) -> None:
    fill(source, 0)
    links = [save(source, compared=False)]
    with said(source) as run:
        run("CREATE TABLE more (id INT PRIMARY KEY, n INT)")
        run("CREATE TRIGGER twice BEFORE INSERT ON more FOR EACH ROW SET NEW.n = 2")
        run("INSERT INTO more VALUES (1, 1), (2, 1)")
        run("DROP TABLE left_over")
        run("UPDATE goods SET name = 'another' WHERE id < 700")
    source.engine.accounts.create_accounts([Account("eve", "%", ("shop",), "a word")])
    links.append(save(source, links[-1].mark, compared=False))
    first = look(source)
    with said(source) as run:
        run("ALTER TABLE more ADD COLUMN c VARCHAR(9) DEFAULT 'x', ADD INDEX (n)")
        run("DELETE FROM goods WHERE id BETWEEN 100 AND 900")
        run("CREATE FUNCTION two() RETURNS INT DETERMINISTIC RETURN 2")
        run("INSERT INTO more (id) VALUES (3)")
    source.engine.accounts.delete_account("eve")
    links.append(save(source, links[-1].mark, compared=False))
    with restored(KIND, links[:2]) as lab:
        assert look(lab) == first
    with restored(KIND, links) as lab:
        assert look(lab) == look(source) != first
        lab.engine.restart()
        with pytest.raises(NoIncrement, match="another one by now"):
            save(lab, links[-1].mark)  # it is another server
        goes_on(lab)


def goes_on(lab: Lab) -> None:
    """It has increments of its own."""
    mine = save(lab, compared=False)
    fill(lab, 10**7)
    more = save(lab, mine.mark, compared=False)
    before = look(lab)
    with restored(KIND, [mine, more]) as copy:
        assert look(copy) == before


def test_an_attempt_that_was_killed_leaves_nothing(source: Lab) -> None:
    """The next one, of the same parent, has all of it."""
    full = save(source, compared=False)
    fill(source, 2 * 10**7)

    def dies(number: int, /, *pieces: bytes) -> None:
        raise errors.Unavailable(what="The object store")

    tool = source.engine.backups()
    with working(source, "backup") as work, pytest.raises(errors.Unavailable):
        backups.save(source.machine, tool, work, full.mark, KEY, ABOUT, dies)
    with working(source, "backup") as work:
        tool.stages(work, full.mark)  # killed before anything was read
    fill(source, 3 * 10**7)
    more = save(source, full.mark)
    with restored(KIND, [full, more]) as lab, said(lab) as run:
        assert run("SELECT COUNT(*) FROM goods") == goods(source)


def goods(lab: Lab) -> typing.Any:
    with said(lab) as run:
        return run("SELECT COUNT(*) FROM goods")


def test_what_is_archived_stays_for_an_increment(source: Lab) -> None:
    """Rounds of an archive let go of what they brought, but for what is wanted."""
    full = save(source, compared=False)
    first = save(source, full.mark, compared=False)  # who makes one makes more
    shipping = Shipping(source)
    for number in range(3):
        fill(source, (4 + number) * 10**7)
        assert shipping.round().broken is None
        age(source)
    second = save(source, first.mark, compared=False)
    with restored(KIND, [full, first, second]) as lab:
        assert goods(lab) == goods(source)
    source.engine.archive().let_go()


def test_a_moment_after_an_increment_comes_back(source: Lab) -> None:
    """The log of an archive goes on where the last link of a chain ends."""
    shipping = Shipping(source)
    shipping.round()
    links = [save(source, compared=False)]
    fill(source, 2 * 10**8)
    links.append(save(source, links[-1].mark, compared=False))
    fill(source, 3 * 10**8)
    expected = goods(source)
    moment = float(int(time.time()) + 1)
    while time.time() < moment:
        time.sleep(0.05)
    fill(source, 4 * 10**8)
    assert shipping.round().broken is None
    words = links[-1].mark.words
    needed = [one for one in shipping.brought if one.last >= int(words["place"])]
    numbers = [one.part + n for one in needed for n in range(len(one.parts))]
    with bare(KIND) as (lab, work):
        log = replaying.Window(
            *(lab.machine, f"{work}/log", "mysql", ARCHIVE, needed, LOGKEY),
            lambda number, size: shipping.data[numbers[number]],
        )
        chain = [stored(link) for link in links]
        order = ReplayOrder(ARCHIVE, 0, "", moment)
        replaying.restore(lab.machine, lab.engine, work, chain, words, log, order)
        lab.engine.start()
        assert goods(lab) == expected
    source.engine.archive().let_go()


def age(lab: Lab) -> None:
    """No file of the log is younger than an hour."""
    for file in pathlib.Path(volume(lab), "binlog").glob("binlog.*"):
        os.utime(file, (1, 1))


def test_a_log_that_was_purged_is_no_increment(source: Lab) -> None:
    full = save(source, compared=False)
    source.client.admin("FLUSH BINARY LOGS")
    newest = files(source)[-1].name
    source.client.admin(f"PURGE BINARY LOGS TO '{newest}'")
    with pytest.raises(NoIncrement, match="is not there|goes on with"):
        save(source, full.mark)
    assert save(source).parts, "a full one is made"


def test_a_log_that_was_begun_anew_is_no_increment(source: Lab) -> None:
    """Also when it has files of the same names by then, and more transactions."""
    full = save(source, compared=False)
    number = int(full.mark.words["place"])
    source.client.admin("RESET BINARY LOGS AND GTIDS")
    with pytest.raises(NoIncrement):
        save(source, full.mark)
    for _ in range(number + 2):
        source.client.admin("FLUSH BINARY LOGS")
    with pytest.raises(NoIncrement):
        save(source, full.mark)
    words = {**full.mark.words, "gtid_executed": ""}
    with pytest.raises(NoIncrement, match="begun anew"):
        save(source, Mark(words, 0))


def test_a_backup_of_before_increments_is_no_parent(source: Lab) -> None:
    words = {"binlog": "binlog.000001:157", "version": "9.7.4"}
    with pytest.raises(NoIncrement, match="where its log goes on"):
        save(source, Mark(words, 0))


def files(lab: Lab) -> list[pathlib.Path]:
    return sorted(pathlib.Path(volume(lab), "binlog").glob("binlog.0*"))


def test_a_bit_that_was_turned_in_the_log_is_no_increment(source: Lab) -> None:
    full = save(source, compared=False)
    fill(source, 8 * 10**7)
    path = files(source)[-1]
    source.client.admin("FLUSH BINARY LOGS")
    turn_a_bit(path)
    with pytest.raises(NoIncrement, match=path.name):
        save(source, full.mark)
    turn_a_bit(path)
    assert save(source, full.mark, compared=False).parts


def turn_a_bit(path: pathlib.Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        (byte,) = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))


@contextlib.contextmanager
def taken(links: list[Link]) -> typing.Iterator[tuple[Lab, typing.Any, str]]:
    """A new machine that has taken a chain, and not made data of its last link."""
    with bare(KIND) as (lab, work):
        tool = lab.engine.backups()
        for number, link in enumerate(links):
            stages = (backups.UNPRESS, *tool.taking(work, number))
            with lab.machine.writing(*stages, within=60) as sink:
                for piece in opened(link):
                    sink.write(piece)
        yield lab, tool, work


def opened(link: Link) -> typing.Iterator[bytes]:
    return pipeline.receive(
        link.parts, KEY, ABOUT, lambda number, size: link.data[number]
    )


@pytest.fixture(scope="module")
def three(source: Lab) -> list[Link]:
    links = [save(source, compared=False)]
    for number in range(2):
        fill(source, (9 + number) * 10**7)
        links.append(save(source, links[-1].mark, compared=False))
    return links


def test_a_restore_that_was_killed_while_it_played_is_begun_anew(
    source: Lab, three: list[Link]
) -> None:
    """The server that played goes on, and is ended before its data are taken away."""
    with bare(KIND) as (lab, work):
        tool = lab.engine.backups()
        for number, link in enumerate(three[:2]):
            stages = (backups.UNPRESS, *tool.taking(work, number))
            with lab.machine.writing(*stages, within=60) as sink:
                for piece in opened(link):
                    sink.write(piece)
        relay = f"{work}/relay"
        lab.machine.make_directory(relay, mode=0o700, owner="mysql")
        alone = replay._alone(lab.engine._logged(), work, relay)
        alone.__enter__()
        lab.engine.stop()  # as ``guestagent.saving.restore`` does first
        for path in (f"{volume(lab)}/data", work):
            lab.machine.remove(path)
        lab.machine.make_directory(work, mode=0o700, owner="mysql")
        chain = [stored(link) for link in three]
        backups.restore(lab.machine, lab.engine.backups(), work, chain)
        lab.engine.start()
        assert look(lab) == look(source)


def last_file(work: str, link: int) -> pathlib.Path:
    return sorted(pathlib.Path(work, str(link)).glob("binlog.*"))[-1]


def test_a_link_that_is_sick_is_no_restore(three: list[Link]) -> None:
    """A bit, the end, a file, another link's parent: each is told, and not served."""
    with taken(three) as (_, tool, work):
        path = last_file(work, 2)
        turn_a_bit(path)
        with pytest.raises(Lost, match="not as it was written"):
            tool.together(work, 3)
        turn_a_bit(path)
        before = pathlib.Path(work, "1", NAME)
        kept = before.read_text()
        before.write_text(kept.replace('"log": "', '"log": "0'))
        with pytest.raises(Lost, match="does not begin where"):
            tool.together(work, 3)
        before.write_text(kept)
        whole_file = path.read_bytes()
        path.unlink()
        with pytest.raises(Lost, match="has not the files"):
            tool.together(work, 3)
        path.write_bytes(cut(whole_file, path))
        path.chmod(0o644)
        with pytest.raises(Short, match="the end of link 2"):
            tool.together(work, 3)


def cut(whole: bytes, path: pathlib.Path) -> bytes:
    """Without its last transaction, at the end of an event."""
    path.write_bytes(whole)
    places = []
    with path.open("rb") as file:
        for place, _, kind, _ in binlog._events(file):
            if kind in binlog.BEGIN:
                places.append(place)
    path.unlink()
    return whole[: places[-1]]


def test_an_increment_of_another_full_one_is_no_restore(three: list[Link]) -> None:
    with pytest.raises(Lost), restored(KIND, [three[0], three[2]]):
        pass


def test_a_bit_that_was_turned_in_the_store_is_no_restore(three: list[Link]) -> None:
    wrong = bytearray(three[1].data[0])
    wrong[len(wrong) // 2] ^= 1
    link = dataclasses.replace(three[1], data={**three[1].data, 0: bytes(wrong)})
    with pytest.raises((Broken, errors.CommandFailed)):
        with restored(KIND, [three[0], link]):
            pass
