# SPDX-License-Identifier: Apache-2.0
"""An engine keeps its log until it was counted, and says so where a piece is lost."""

import contextlib
import json
import os
import pathlib
import signal
import time
import typing

import pytest

from tests.contract.datastore.conftest import Lab, laboratory
from tests.contract.datastore.shipping import Shipping, parametrized
from tests.contract.datastore.test_backups import said
from trove import errors
from trove.datastores.archives import Lost
from trove.datastores.classic import archive as classic
from trove.guestagent.archives import Progress
from trove.rpc import codec

pytest_generate_tests = parametrized

LET_GO = {
    "mariadb": "RESET MASTER",
    "mysql": "RESET BINARY LOGS AND GTIDS",
    "postgresql": "SELECT pg_drop_replication_slot('trove_archive')",
}
"""How an administrator loses a log."""


@pytest.fixture(scope="module")
def source(kind: tuple[str, str]) -> typing.Iterator[Lab]:
    with laboratory(*kind) as lab:
        lab.account("ada", "the word", "shop")
        with said(lab) as run:
            run("CREATE TABLE goods (n INT)")
        yield lab


@pytest.fixture
def shipping(source: Lab) -> typing.Iterator[Shipping]:
    made = Shipping(source)
    made.round()
    yield made
    source.engine.archive().let_go()


def write(lab: Lab) -> None:
    with said(lab) as run:
        run("INSERT INTO goods VALUES (1)")


def in_a_row(shipping: Shipping) -> None:
    found = shipping.brought
    assert [one.number for one in found] == list(range(len(found)))
    for before, after in zip(found, found[1:], strict=False):
        assert after.first == before.last + 1


def test_a_store_that_is_away_for_rounds_loses_nothing(
    source: Lab, shipping: Shipping
) -> None:
    shipping.away = True
    for number in range(6):
        write(source)
        with pytest.raises(errors.Unavailable):
            shipping.round()
        if number == 3:
            source.engine.restart()
    waited, held = shipping.progress.waiting, shipping.brought[-1].last
    shipping.away = False
    progress = shipping.round()
    in_a_row(shipping)
    assert waited and progress.waiting == 0
    # what the first round cut, what a restart did, and the rest: not one of each round
    assert 2 <= shipping.brought[-1].last - held <= 3


def test_what_was_counted_goes_and_nothing_else(
    source: Lab, shipping: Shipping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classic, "HOUR", 0)
    for _ in range(4):
        write(source)
        shipping.round()
    shipping.round()
    log = source.engine.archive()
    until(lambda: is_lost(source, log, shipping.brought[0].first - 1))
    released = shipping.brought[-2].last
    assert [file.place for file in log.ready(released)] == [released + 1]


def is_lost(source: Lab, log: typing.Any, place: int) -> bool:
    """PostgreSQL lets go at a checkpoint; 17 what it has summarized by then, which
    another process of its does."""
    if source.name == "postgresql":
        source.client.admin("CHECKPOINT")
    try:
        log.ready(place)
    except Lost:
        return True
    return False


def until(look: typing.Callable[[], bool]) -> None:
    """It is so, within half a minute."""
    end = time.monotonic() + 30
    while not look():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.parametrize("at", range(5))
def test_a_round_that_is_killed_leaves_no_hole(
    source: Lab, shipping: Shipping, at: int, tmp_path: pathlib.Path
) -> None:
    """Before its nth word to the disk or to the store, as a process of its own."""
    write(source)
    if not (child := os.fork()):
        dying(shipping, at, tmp_path)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL or at == 4  # it has no more
    written = tmp_path / "progress"
    if written.exists():
        data = json.loads(written.read_text())
        shipping.progress = codec.decode(Progress, data, "progress")
    shipping.data |= {
        int(path.name): path.read_bytes() for path in tmp_path.glob("[0-9]*")
    }
    write(source)
    assert shipping.round().broken is None
    in_a_row(shipping)
    told = {one.part + n for one in shipping.brought for n in range(len(one.parts))}
    assert told <= shipping.data.keys()


def dying(shipping: Shipping, at: int, home: pathlib.Path) -> typing.NoReturn:
    """A round in a process that kills itself before its nth deed."""
    steps = iter(range(at))

    def step() -> None:
        if next(steps, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    def save(progress: Progress) -> None:
        step()
        (home / "progress").write_text(json.dumps(codec.encode(progress)))

    def put(number: int, /, *pieces: bytes) -> None:
        step()
        (home / str(number)).write_bytes(b"".join(pieces))

    shipping.made(put, save).go(shipping.counted)
    os._exit(0)


@pytest.mark.parametrize(("brought", "since"), [(0, 1), (1, 2), (3, 4), (3, 0)])
def test_a_log_that_somebody_loses_is_said_to_be_lost(
    source: Lab, shipping: Shipping, brought: int, since: int
) -> None:
    """``since`` files began then: its numbers may be as high as those brought."""
    if source.name != "postgresql":
        source.client.admin(LET_GO[source.name])  # it begins at its first number
    begun = time.time()
    shipping = Shipping(source)
    shipping.away = not brought
    with pytest.raises(errors.Unavailable) if not brought else contextlib.nullcontext():
        shipping.round()
    for _ in range(brought - 1):
        write(source)
        shipping.round()
    assert len(shipping.brought) == brought
    shipping.away = False
    until(lambda: time.time() > begun + 1)  # a log says the second it was begun in
    source.client.admin(LET_GO[source.name])
    for _ in range(since):
        write(source)
        source.engine.archive().cut()
    progress = shipping.round()
    assert "lost" in (progress.broken or "")
    again = Shipping(source)
    again.round()
    write(source)
    assert again.round().broken is None and again.brought


def test_a_file_that_is_gone_is_said_to_be_lost(
    source: Lab, shipping: Shipping
) -> None:
    shipping.away = True
    for _ in range(3):
        with pytest.raises(errors.Unavailable):
            shipping.round()
        source.engine.archive().cut()  # as the engine does when one is full
    if source.name == "postgresql":
        # the engine lets go of what takes more room than it may
        source.engine._bound(1)
        admin = source.client.admin
        for _ in range(4):
            admin("SELECT pg_switch_wal(), pg_current_xact_id()")
        admin("CHECKPOINT")
    else:
        name = source.engine.archive()._files()[-1].name
        source.client.admin(f"PURGE BINARY LOGS TO '{name}'")
    shipping.away = False
    assert "lost" in (shipping.round().broken or "")


def test_nothing_is_held_for_one_that_is_over(source: Lab) -> None:
    shipping, log = Shipping(source), source.engine.archive()
    shipping.round()
    assert held(source)
    source.engine.restart()
    assert held(source)
    log.let_go()
    log.let_go()
    assert not held(source)
    source.engine.restart()
    assert not held(source)


def held(lab: Lab) -> bool:
    if lab.name == "postgresql":
        slots = lab.client.admin("SELECT slot_name FROM pg_replication_slots")
        ((most,),) = lab.client.admin("SHOW max_slot_wal_keep_size")
        assert slots or most == "1GB"
        return bool(slots)
    ((seconds,),) = lab.client.admin("SELECT @@binlog_expire_logs_seconds")
    assert seconds in (0, 86400)
    return seconds == 0


@pytest.mark.engines("mariadb", "mysql")  # the others' logs have no statements
def test_a_tenant_has_no_say_in_what_the_log_is(source: Lab) -> None:
    """What is played runs as an administrator: rows alone, at the time it is."""
    statements = ["SET SESSION binlog_format = 'STATEMENT'"]
    statements += ["SET SESSION sql_log_bin = 0", "SET GLOBAL binlog_format = 'MIXED'"]
    statements += ["SET SESSION pseudo_thread_id = 7", "BINLOG 'x'"]
    statements += ["SET SESSION gtid_next = 'AUTOMATIC:tag'"]
    statements += ["SET SESSION gtid_seq_no = 7"]
    if source.name == "mariadb":
        statements += ["SET SESSION timestamp = 7"]
    source.engine.accounts.enable_root("root's word")
    for who in (("ada", "the word"), ("root", "root's word")):
        for statement in statements:
            with pytest.raises(source.refused), source.client.login(*who) as run:
                run(statement)
    ((form,),) = source.client.admin("SELECT @@GLOBAL.binlog_format")
    assert form == "ROW"
    source.engine.accounts.disable_root()
