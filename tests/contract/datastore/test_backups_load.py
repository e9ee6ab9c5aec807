# SPDX-License-Identifier: Apache-2.0
"""A backup of a PostgreSQL that writes a lot: its log is held, and no longer."""

import contextlib
import os
import signal
import time
import typing

import pytest

from tests.contract.datastore.conftest import Lab, laboratory
from tests.contract.datastore.test_backups import (
    ABOUT,
    KEY,
    Link,
    fill,
    restored,
    rows,
    said,
)
from trove.datastores.postgresql.agent.sql import talk
from trove.guestagent import backups

TABLE = "CREATE TABLE goods (id INT PRIMARY KEY, name VARCHAR(40), raw TEXT)"
SEGMENTS = 12
KIND = ("postgresql", "15")

pytestmark = [pytest.mark.postgresql, pytest.mark.root]


@pytest.fixture(scope="module")
def source() -> typing.Iterator[Lab]:
    with laboratory(*KIND) as lab:
        lab.account("ada", "the word", "shop")
        with said(lab) as run:
            run(TABLE)
        fill(lab, 0)
        with asked(lab) as ask:  # more than one part, however it is compressed
            ask(
                "CREATE TABLE public.bulk AS SELECT md5(random()::text) AS a, "
                "md5(random()::text) AS b FROM generate_series(1, 800000)"
            )
            ask("CHECKPOINT")
        yield lab


@contextlib.contextmanager
def asked(lab: Lab) -> typing.Iterator[typing.Callable[[str], list[typing.Any]]]:
    """As the superuser."""
    port = lab.engine.backups()._port
    with talk(lab.machine.path("/run/postgresql"), port) as line:
        yield lambda statement: line.rows(statement, 60.0)


def slots(lab: Lab) -> list[typing.Any]:
    with asked(lab) as ask:
        return ask("SELECT slot_name FROM pg_replication_slots")


def none_are_held(lab: Lab) -> None:
    """A moment after the end of its connection."""
    end = time.monotonic() + 30
    while slots(lab):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_log_of_the_whole_time_is_there(source: Lab, tmp_path: typing.Any) -> None:
    """While the first part is brought, more is written than is kept by itself."""
    data: dict[int, bytes] = {}
    held: list[typing.Any] = []

    def put(number: int, /, *pieces: bytes) -> None:
        if number == 0:
            held.extend(slots(source))
            with asked(source) as ask:
                for _ in range(SEGMENTS):
                    ask("CREATE TABLE public.more AS SELECT generate_series(1, 100)")
                    ask("DROP TABLE public.more")
                    ask("SELECT pg_switch_wal()")
                    ask("CHECKPOINT")
        data[number] = b"".join(pieces)

    tool = source.engine.backups()
    work = tmp_path / "work"
    work.mkdir()
    made = backups.save(source.machine, tool, str(work), None, KEY, ABOUT, put)
    assert len(held) == 1
    none_are_held(source)
    link = Link(made.parts, data, made.mark, rows(source))
    with restored(KIND, [link]) as lab:
        assert rows(lab) == link.rows


def test_nothing_is_held_by_one_that_died(source: Lab, tmp_path: typing.Any) -> None:
    child = os.fork()
    if not child:
        tool = source.engine.backups()
        tool.stages(str(tmp_path))
        held = len(slots(source))
        os.kill(os.getpid(), signal.SIGKILL if held == 1 else signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    none_are_held(source)
