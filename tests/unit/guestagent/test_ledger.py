# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/ledger.py: one id is one job, and nothing sealed stays."""

import os

import pytest

from trove import errors
from trove.guestagent import ledger
from trove.guestagent.ledger import Ledger, Outcome


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def book(places, clock):
    return Ledger(places.jobs, clock)


def done(book, id):
    job, _ = book.accept(id, "prepare", {"plan": {"sealed": "SEALED"}})
    return book.finish(book.begin(job), Outcome(100, "done", None, {"a": 1}))


def test_the_same_id_is_one_job_also_after_a_restart(book, places):
    first, new = book.accept("op/prepare", "prepare", {"plan": 1})
    assert new
    assert book.accept("op/prepare", "prepare", {"plan": 2}) == (first, False)
    again = Ledger(places.jobs)
    assert again.accept("op/prepare", "prepare", {"plan": 3}) == (first, False)


def test_a_saved_result_is_answered_again(book, places):
    done(book, "op/prepare")
    job, new = Ledger(places.jobs).accept("op/prepare", "prepare", {})
    assert not new
    assert (job.state, job.result) == ("done", {"a": 1})


def test_nothing_sealed_stays_after_the_end(book, places):
    book.accept("op/prepare", "prepare", {"plan": {"sealed": "SEALED"}})
    texts = [path.read_text() for path in places.jobs.iterdir()]
    assert any("SEALED" in text for text in texts)
    done(book, "op/prepare")
    for path in places.jobs.iterdir():
        assert "SEALED" not in path.read_text()


@pytest.mark.parametrize(
    "id", ["../../etc/passwd", "..", ".", "a/../b", "a" * 4000, "ü\x1b", "%2e", "-x"]
)
def test_an_id_is_a_file_of_the_ledger_whatever_it_is(book, places, id):
    book.accept(id, "prepare", {})
    assert [path.parent for path in places.jobs.iterdir()] == [places.jobs]
    assert book.path(id).suffix == ".job"
    assert Ledger(places.jobs).get(id) is not None


def test_ids_that_look_alike_are_two_files():
    names = {ledger.file_name(id) for id in ("a/b", "a%2Fb", "a.b", "a%2Eb")}
    assert len(names) == 4


def test_files_are_private(book, places):
    book.accept("a", "prepare", {})
    for path in places.jobs.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    assert os.stat(places.jobs).st_mode & 0o777 == 0o700


def test_an_end_is_reported_until_it_was_heard(book):
    done(book, "one")
    assert [job.id for job in book.reports()] == ["one"]
    book.acknowledge("one")
    assert book.reports() == ()
    book.accept("one", "prepare", {})  # sent again: it was not heard
    assert [job.id for job in book.reports()] == ["one"]


def test_a_new_job_says_that_earlier_ends_were_heard(book):
    done(book, "one")
    book.accept("two", "restart_database", {})
    assert [(job.id, job.state) for job in book.reports()] == [("two", "sent")]


def test_an_end_is_repeated_for_a_while_and_again_when_asked_for(book, places, clock):
    done(book, "one")
    clock.now += ledger.REPEAT + 1
    assert book.reports() == ()
    book.accept("one", "prepare", {})
    assert [job.id for job in book.reports()] == ["one"]
    clock.now += ledger.REPEAT + 1
    assert book.reports() == ()
    again = Ledger(places.jobs, clock)  # the agent restarted: was the end heard?
    assert [job.id for job in again.reports()] == ["one"]


def test_jobs_of_the_agent_itself_are_never_reported_nor_kept(book, places):
    book.accept("boot/3/take_up", "take_up", {})
    assert book.reports() == ()
    job = book.begin(book.next())
    book.finish(job, Outcome(state="failed", fault="no volume"))
    assert book.last("take_up").fault == "no volume"
    assert Ledger(places.jobs).last("take_up") is None
    assert not list(places.jobs.glob("*.job"))


def test_a_jobs_progress_is_its_childs_latest_word(book):
    job, _ = book.accept("one", "prepare", {})
    job = book.begin(job)
    ledger.save_outcome(book.out("one"), Outcome(40))
    assert book.get("one").progress == 40
    assert book.reports()[0].progress == 40


def test_jobs_are_done_in_the_order_they_came_but_one_begun_leads(book, places):
    book.accept("b", "prepare", {})
    book.accept("a", "prepare", {})
    assert book.next().id == "b"
    book.begin(book.get("a"))
    assert Ledger(places.jobs).next().id == "a"


def test_what_ended_a_week_ago_is_forgotten(book, places, clock):
    done(book, "one")
    book.accept("two", "prepare", {})
    clock.now += ledger.KEEP + 1
    assert book.prune() == 1
    assert sorted(path.name for path in places.jobs.glob("*")) == [
        "old.json",
        "two.job",
    ]
    assert book.get("one") is None


@pytest.mark.parametrize("restarted", [False, True])
def test_a_command_that_somebody_kept_is_no_new_job(book, places, clock, restarted):
    """However long ago it was: whoever has the broker may send it again (section 4)."""
    done(book, "one")
    clock.now += ledger.KEEP + 1
    book.prune()
    again = Ledger(places.jobs, clock) if restarted else book
    with pytest.raises(errors.Clash, match="exists already"):
        again.accept("one", "restart_database", {})
    assert again.next() is None
    assert again.accept("two", "restart_database", {})[1]


def test_a_file_that_is_no_job_is_set_aside(book, places):
    book.accept("good", "prepare", {})
    (places.jobs / "bad.job").write_text('{"id": ')
    (places.jobs / "odd.job").write_text('{"surprise": 1}')
    again = Ledger(places.jobs)
    assert again.get("good") is not None
    assert sorted(path.name for path in places.jobs.glob("*.bad")) == [
        "bad.bad",
        "odd.bad",
    ]


def test_a_link_planted_in_the_ledger_is_not_followed(places, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    book = Ledger(places.jobs)
    for name in ("one.job", "one.out"):
        (places.jobs / name).symlink_to(victim)
    job, _ = book.accept("one", "prepare", {})
    ledger.save_outcome(book.out("one"), Outcome(10))
    book.finish(book.begin(job), Outcome(state="done"))
    assert victim.read_text() == "precious"
