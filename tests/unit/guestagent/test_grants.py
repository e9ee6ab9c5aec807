# SPDX-License-Identifier: Apache-2.0
"""What a job brings by: granted some at a time, ended, granted again, and away."""

import json
import os
import stat
import threading

import pytest

from tests.answering import privately, serving
from trove import errors
from trove.guestagent import grants
from trove.guestagent.grants import Grant, Grants, NotGranted, give


@pytest.fixture
def store():
    with serving() as server:
        yield server


@pytest.fixture
def path(tmp_path):
    return tmp_path / "job.grant"


@pytest.fixture
def made(path):
    open_ = []

    def make(**about):
        open_.append(Grants(path, json.loads, **{"patience": 20.0, **about}))
        return open_[-1]

    yield make
    for each in open_:
        each.close()


def sealed(store, serial, first, count, **more):
    """As it comes: sealed, which here is as it is."""
    rows = [[f"{store.url}/{serial}/{first + n}?sig=s", {}] for n in range(count)]
    return json.dumps({"serial": serial, "first": first, "requests": rows, **more})


def test_a_part_is_brought_by_its_own_request(store, path, made):
    give(path, sealed(store, 1, 0, 3))
    mine = made()
    mine.put(2, b"two")
    mine.put(0, b"nought")
    assert store.asked == ["PUT /1/2?sig=s", "PUT /1/0?sig=s"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_store_of_an_authority_that_is_told_with_it(path, made, tmp_path):
    with privately(tmp_path) as (store, authority):
        store.deed = lambda request: (request.body(), request.say(200, b"12345"))
        give(path, sealed(store, 1, 0, 3, authorities=authority))
        mine = made()
        mine.put(1, b"one")
        assert mine.get(2, 5) == b"12345"
        assert store.asked == ["PUT /1/1?sig=s", "GET /1/2?sig=s"]


def test_it_is_of_nobody_without_that(path, made, tmp_path):
    """As a control plane of an older release grants it."""
    with privately(tmp_path) as (store, _):
        give(path, sealed(store, 1, 0, 1))
        with pytest.raises(errors.Unavailable, match="SSLCertVerificationError"):
            made(patience=0.1).put(0, b"x")
        assert store.asked == []


def test_what_is_not_granted_is_asked_for_and_waited_for(store, path, made):
    give(path, sealed(store, 1, 0, 2))
    asked = threading.Event()
    wanted = []

    def want(number):
        wanted.append(number)
        asked.set()

    mine = made(wanted=want)
    waiting = threading.Thread(target=mine.put, args=(2, b"two"))
    waiting.start()
    assert asked.wait(10)
    give(path, sealed(store, 2, 2, 2))
    waiting.join(10)
    assert not waiting.is_alive()
    assert store.asked == ["PUT /2/2?sig=s"] and wanted[0] == 2


def test_one_that_was_there_before_the_job_is_found(store, path, made):
    """The agent gave it while no process was there to be woken."""
    give(path, sealed(store, 1, 0, 1))
    give(path, sealed(store, 2, 0, 1))
    made().put(0, b"x")
    assert store.asked == ["PUT /2/0?sig=s"]


def test_one_that_ends_as_it_is_woken_harms_nobody(store, path, made, monkeypatch):
    mine, real = Grants(path, json.loads), os.open

    def opened_and_left(name, *how, **more):
        opened = real(name, *how, **more)
        if stat.S_ISFIFO(os.fstat(opened).st_mode):
            mine.close()
        return opened

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", opened_and_left)
        give(path, sealed(store, 1, 0, 3))
    give(path, sealed(store, 2, 0, 3))
    made().put(0, b"nought")
    assert store.asked == ["PUT /2/0?sig=s"]


def test_one_that_has_ended_waits_for_the_next(store, path, made):
    ended = threading.Event()

    def judge(request):
        old = request.path.startswith("/1/")
        request.say(401 if old else 201)
        if old:
            ended.set()

    store.deed = judge
    give(path, sealed(store, 1, 0, 1))
    mine = made()
    waiting = threading.Thread(target=mine.put, args=(0, b"x"))
    waiting.start()
    assert ended.wait(10)
    give(path, sealed(store, 2, 0, 1))
    waiting.join(10)
    assert store.asked == ["PUT /1/0?sig=s", "PUT /2/0?sig=s"]


def test_a_store_that_is_away_is_asked_again(store, path, made, monkeypatch):
    monkeypatch.setattr(grants, "PAUSE", 0.01)
    answers = [503, 500, 201]
    store.deed = lambda request: request.say(answers.pop(0))
    give(path, sealed(store, 1, 0, 1))
    made().put(0, b"x")
    assert answers == [] and len(store.asked) == 3


def test_one_that_is_there_is_of_a_try_whose_answer_was_lost(store, path, made):
    store.deed = lambda request: request.say(412)
    give(path, sealed(store, 1, 0, 1))
    made().put(0, b"x")
    assert len(store.asked) == 1


def test_nobody_waits_for_ever(store, path, made):
    with pytest.raises(NotGranted, match="part 0"):
        made(patience=0.05).put(0, b"x")
    store.deed = lambda request: request.say(503)
    give(path, sealed(store, 1, 0, 1))
    with pytest.raises(errors.Unavailable):
        made(patience=0.05).put(0, b"x")


def test_what_the_store_refuses_for_good_ends_it(store, path, made):
    store.deed = lambda request: request.say(413)
    give(path, sealed(store, 1, 0, 1))
    with pytest.raises(errors.Upstream):
        made().put(0, b"x")


def test_several_wait_at_once(store, path, made):
    mine = made()
    threads = [threading.Thread(target=mine.put, args=(n, b"x")) for n in range(4)]
    for each in threads:
        each.start()
    for serial, first in enumerate((3, 0, 1, 2), 1):
        give(path, sealed(store, serial, first, 1))
        threads[first].join(10)
    assert not any(each.is_alive() for each in threads)
    assert len(store.asked) == 4


def test_nothing_of_it_stays(store, path):
    give(path, sealed(store, 1, 0, 1))
    mine = Grants(path, json.loads)
    mine.close()
    assert list(path.parent.iterdir()) == []
    give(path, sealed(store, 2, 0, 1))  # late: nobody is there to be woken
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "said", [{}, {"serial": 1}, {"serial": 1, "first": 0, "requests": [1]}, {"x": []}]
)
def test_what_grants_nothing_says_so(said):
    with pytest.raises(errors.Invalid, match="grants nothing"):
        Grant.of(said)


def test_a_grant_does_not_show_what_it_lets():
    said = {"serial": 1, "first": 0, "requests": [["http://s/a?sig=s3cr3t", {}]]}
    assert "s3cr3t" not in repr(Grant.of(said))


def test_a_job_that_is_given_up_ends(store, path, made):
    """Whichever attempt it is, and whatever it was granted before."""
    give(path, sealed(store, 1, 0, 2))
    mine = made(attempt=2)
    waiting = []

    def put():
        with pytest.raises(grants.GivenUp):
            mine.put(0, b"x")
        waiting.append("over")

    thread = threading.Thread(target=put)
    thread.start()
    over = {"serial": 2, "first": 0, "requests": [], "over": True}
    give(path, json.dumps(over))
    thread.join(10)
    assert waiting == ["over"] and store.asked == []


def test_the_next_are_wanted_before_the_last_is_used(store, path, made):
    count = grants.LEFT + 4
    give(path, sealed(store, 1, 0, count))
    wanted = []
    mine = made(wanted=wanted.append)
    for number in range(6):
        mine.put(number, b"x")
    assert wanted == [None] * 4 + [count] * 2


def test_what_is_of_another_attempt_is_nothing(store, path, made):
    give(path, sealed(store, 1, 0, 2))
    with pytest.raises(NotGranted):
        made(attempt=2, patience=0.2).put(0, b"x")


def test_an_object_is_fetched_by_its_own_request(store, path, made):
    store.deed = lambda request: request.say(200, b"four")
    give(path, sealed(store, 1, 0, 2))
    assert made().get(1, 4) == b"four"
    assert store.asked == ["GET /1/1?sig=s"]


def test_who_carries_nothing_for_long_hears_that_it_was_given_up(path, made):
    mine = made(attempt=2)
    mine.wanted()
    give(path, json.dumps({"serial": 1, "first": 0, "requests": []}))
    mine.wanted()
    give(path, json.dumps({"serial": 2, "first": 0, "requests": [], "over": True}))
    with pytest.raises(grants.GivenUp):
        mine.wanted()
