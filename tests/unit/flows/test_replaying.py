# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/flows/replaying.py: what is played, and by which requests."""

import contextlib
import types

import pytest

from trove.db.session import Database
from trove.db.tables import Archive, ArchiveSegment, Record
from trove.flows import replaying
from trove.flows.replaying import NoLog, Replayed
from trove.model.operations import Replay
from trove.storage import archives as lists
from trove.storage.backups import BackupStorage, Names
from trove.storage.keys import Keyring
from trove.storage.vault.protocol import LIST

PARTS = ((0, 1), (1, 2), (5, 2), (9, 3))
NAMES = Names("p", "a")


@pytest.fixture
def ctx(tmp_path):
    """A step of the operation ``op``, beside an archive of four segments: the places 10
    to 17, a minute each."""
    (tmp_path / "store").mkdir()
    database = Database(f"sqlite:///{tmp_path}/trove.sqlite")
    Record.metadata.create_all(database.engine)
    store = {"driver": "directory", "container": "c", "ring": "1", "key": "k"}
    about = {"version_id": "v", "created": 0.0, "updated": 0.0, "state": "OPEN"}
    with database.transaction() as tx:
        tx.add(Archive(id="a", project="p", instance_id="i", **store, **about))
        for number, (part, count) in enumerate(PARTS):
            said = [[9, "a" * 64, "b" * 32]] * count
            at = {"first": 10 + 2 * number, "last": 11 + 2 * number}
            at |= {"since": 60.0 * number, "until": 60.0 * number + 60}
            row = {"number": number, "part": part, "count": count, "parts": said}
            tx.add(ArchiveSegment(archive_id="a", **row, **at))
    yield types.SimpleNamespace(
        storage=BackupStorage(
            "directory",
            Keyring({"1": b"k" * 32}),
            lambda _: {"path": f"{tmp_path}/store"},
        ),
        claim=types.SimpleNamespace(guard=lambda seconds: None, database=database),
        settings=types.SimpleNamespace(call_timeout=20.0),
        operation=types.SimpleNamespace(id="op", attempts=0),
    )
    database.close()


def base(place):
    return types.SimpleNamespace(place=place)


def stored(ctx):
    with contextlib.closing(ctx.storage.vault("directory", "c", "a")) as vault:
        return [one.name for one in vault.listed("")]


@pytest.mark.parametrize(
    ("place", "until", "first", "last"),
    [(10, None, 0, 3), (11, 60.0, 0, 0), (12, 61.0, 1, 1), (15, 240.0, 2, 3)],
)
def test_the_list_has_what_is_needed_and_goes(ctx, place, until, first, last):
    wish = Replay("a", until, None if until else "point")
    said = replaying.write(ctx, wish, base(place), 4)
    assert (said["first"], said["last"]) == (first, last)
    assert stored(ctx) == ["p/a/restore-op"]
    with contextlib.closing(ctx.storage.vault("directory", "c", "a")) as vault:
        data = vault.get("p/a/restore-op", said["size"])
    found = lists.read(data, said["sha256"])
    assert [one.number for one in found] == list(range(first, last + 1))
    assert replaying.write(ctx, wish, base(place), 4) == said
    order = Replayed(wish, said).order
    assert (order.archive, order.until, order.point) == ("a", until, wish.point)
    for _ in range(2):
        replaying.forget(ctx, wish)
    assert stored(ctx) == []


def test_the_parts_have_numbers_in_one_row(ctx):
    wish = Replay("a", 180.0)
    said = replaying.write(ctx, wish, base(12), 0)
    with Replayed(wish, said).signing(ctx) as sign:
        names = [sign(number) for number in range(5)]
        assert names[4] is None and sign(LIST + 1) is None
        ends = [one.url.partition("/store/")[2] for one in names[:4]]
        assert ends == [NAMES.of(1, number) for number in (1, 2, 5, 6)]
        assert sign(LIST).url.endswith("/p/a/restore-op")


@pytest.mark.parametrize(
    ("place", "until", "why"),
    [
        (9, 60.0, "does not go back that far"),
        (12, 241.0, "does not reach that far"),
        (18, None, "does not reach that far"),
    ],
)
def test_what_is_not_all_there_is_not_played(ctx, place, until, why):
    with pytest.raises(NoLog, match=why):
        replaying.write(ctx, Replay("a", until), base(place), 0)
    assert stored(ctx) == []


def test_a_hole_is_not_played_over(ctx):
    """Nobody counts one; but nobody plays one either."""
    with ctx.claim.database.transaction() as tx:
        tx.delete(tx.get_one(ArchiveSegment, ("a", 2)))
    with pytest.raises(NoLog, match="a hole behind segment 1"):
        replaying.write(ctx, Replay("a"), base(12), 0)
    assert replaying.write(ctx, Replay("a", 100.0), base(12), 0)["last"] == 1


def test_as_many_parts_as_a_restore_has_numbers(ctx):
    with pytest.raises(NoLog, match="too many parts"):
        replaying.write(ctx, Replay("a"), base(12), LIST - 7)
    assert replaying.write(ctx, Replay("a"), base(12), LIST - 8)


def test_an_archive_that_is_gone(ctx):
    wish = Replay("never")
    with pytest.raises(NoLog, match="archive is gone"):
        replaying.write(ctx, wish, base(12), 0)
    replaying.forget(ctx, wish)
