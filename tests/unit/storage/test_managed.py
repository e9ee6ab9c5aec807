# SPDX-License-Identifier: Apache-2.0
"""The keys that a key manager keeps: what is in memory, and what a process that dies
leaves. The rest is the contract (``tests/contract/keymanager``)."""

import typing

import pytest

from trove import errors
from trove.cloud import protocol
from trove.cloud.memory import MemoryCloud
from trove.cloud.memory.keymanager import KeyManager
from trove.storage import managed
from trove.storage.keys import NotOpened, Wrapped
from trove.storage.managed import KEPT, Entry, ManagedKeys

KEY = b"k" * 32


class Book:
    """In a dict; ``raced`` is what another wrote down a moment before."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, int], str] = {}
        self.raced: str | None = None

    def newest(self, project: str) -> Entry | None:
        numbers = [number for whose, number in self.entries if whose == project]
        if not numbers:
            return None
        return Entry(max(numbers), self.entries[project, max(numbers)])

    def keep(self, project: str, number: int, id: str) -> str:
        return self.entries.setdefault((project, number), self.raced or id)


class Bench:
    """Keys, their book and their manager; ``asked`` is what that was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails: dict[str, Exception] = {}
        self.now = 1000.0
        cloud = MemoryCloud(before=self._before)
        self.world = cloud.world
        self.book = Book()
        self.keys = ManagedKeys(
            KeyManager(cloud), self.book, "d", clock=lambda: self.now
        )

    def _before(self, name: str, said: dict[str, typing.Any]) -> None:
        self.asked.append(name)
        if name in self.fails:
            raise self.fails[name]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_busy_hour_asks_once(bench: Bench) -> None:
    wrapped = bench.keys.wrap("p", KEY)
    assert bench.asked == ["keys.named", "keys.make", "keys.secret"]
    for _ in range(9):
        assert bench.keys.unwrap("p", wrapped) == KEY
        bench.keys.signing("p")
    bench.now += KEPT - 1
    bench.keys.signing("p", wrapped.ring)
    assert len(bench.asked) == 3
    bench.now += 1
    bench.keys.signing("p")
    assert bench.asked[3:] == ["keys.secret"]


def test_few_are_in_memory(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managed, "MOST", 2)
    for project in "abc":
        bench.keys.signing(project)
    bench.asked.clear()
    for project in "cba":  # the oldest is the one that is gone
        bench.keys.signing(project)
    assert bench.asked == ["keys.secret"]
    bench.now += KEPT
    bench.keys.signing("d")
    assert len(bench.keys._kept) == 1, "what is over is not kept"


def test_the_loser_takes_the_winners_and_deletes_its_own(bench: Bench) -> None:
    winner = KeyManager(MemoryCloud(world=bench.world)).make("another's")
    bench.book.raced = winner
    assert bench.keys.wrap("p", KEY).ring == winner
    assert set(bench.world.secrets) == {winner}


def test_a_losers_key_that_cannot_be_deleted_holds_nobody_up(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    winner = KeyManager(MemoryCloud(world=bench.world)).make("another's")
    bench.book.raced = winner
    bench.fails["keys.delete"] = errors.Unavailable(what="It")
    assert bench.keys.wrap("p", KEY).ring == winner
    (left,) = set(bench.world.secrets) - {winner}
    assert left in caplog.text


def test_what_another_made_is_never_deleted(bench: Bench) -> None:
    """It may be about to write it down: in a book that was lost it has been."""
    manager = KeyManager(MemoryCloud(world=bench.world))
    name = "trove d backups of p, key 1"
    first, second = manager.make(name), manager.make(name)
    assert bench.keys.wrap("p", KEY).ring == first
    assert set(bench.world.secrets) == {first, second}
    bench.book.entries.clear()
    bench.book.raced = second
    assert bench.keys.wrap("p", KEY).ring == second
    assert set(bench.world.secrets) == {first, second}


def test_a_manager_that_is_away_is_said_to_be(bench: Bench) -> None:
    wrapped = bench.keys.wrap("p", KEY)
    bench.now += KEPT
    bench.fails["keys.secret"] = errors.Unavailable(what="The key manager")
    with pytest.raises(errors.Unavailable, match="does not answer"):
        bench.keys.unwrap("p", wrapped)
    bench.fails.clear()
    assert bench.keys.unwrap("p", wrapped) == KEY


def test_a_key_that_may_not_be_read_is_said_to_be(bench: Bench) -> None:
    wrapped = bench.keys.wrap("p", KEY)
    bench.now += KEPT
    bench.fails["keys.secret"] = errors.Forbidden("The key manager refuses: 403.")
    with pytest.raises(NotOpened, match=f"does not let .* {wrapped.ring}"):
        bench.keys.unwrap("p", wrapped)


def test_a_secret_that_is_no_key_opens_nothing(bench: Bench) -> None:
    wrapped = bench.keys.wrap("p", KEY)
    bench.now += KEPT
    name, _ = bench.world.secrets[wrapped.ring]
    for other in (b"", b"x" * 31, b"x" * 33):
        bench.world.secrets[wrapped.ring] = (name, other)
        with pytest.raises(NotOpened, match="no key of ours"):
            bench.keys.unwrap("p", wrapped)
    bench.world.secrets[wrapped.ring] = (name, b"x" * 32)
    with pytest.raises(NotOpened, match="was changed"):
        bench.keys.unwrap("p", wrapped)


def test_what_has_no_uuid_is_never_asked_for(bench: Bench) -> None:
    """A ring of a keyring's, or a path that somebody wrote into a row."""
    for ring in ("1", "../orders", "A" * 36, "{" + "a" * 34 + "}"):
        with pytest.raises(NotOpened, match="no keyring"):
            bench.keys.unwrap("p", Wrapped(ring, "00" * 40))
    assert bench.asked == []


def test_that_there_is_a_manager_can_be_asked(bench: Bench) -> None:
    bench.keys.check()
    bench.fails["keys.check"] = protocol.Refused("the catalogue has no key-manager")
    with pytest.raises(errors.Upstream, match="has no key-manager"):
        bench.keys.check()


def test_keys_do_not_show_themselves(bench: Bench) -> None:
    bench.keys.wrap("p", KEY)
    assert repr(bench.keys) == "ManagedKeys(d)"
