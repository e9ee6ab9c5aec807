# SPDX-License-Identifier: Apache-2.0
"""Turns of a plan: none is made twice, what was missed is made once; what is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trove.model import backups, schedules
from trove.model.backups import BackupState, Link
from trove.model.schedules import DAY, HOUR, MINUTE, Due, Made, Plan

MIDNIGHT = 20_000 * DAY
NIGHTLY = Plan(window=120)
FULL, INCREMENT = Due.FULL, Due.INCREMENT


def at(day, hour=0.0):
    return MIDNIGHT + day * DAY + hour * HOUR


def run(plan, moments, made=None):
    """What is made when somebody looks at these moments and no others."""
    made, found = made or Made(), []
    for moment in moments:
        due = schedules.due(plan, made, moment)
        if due is not None:
            made = made.and_now(due, moment)
            found.append((moment, due))
    return made, found


def test_a_day_has_a_full_one_and_three_increments():
    _, found = run(NIGHTLY, [at(0, hour / 4) for hour in range(8, 4 * 26)])
    assert found == [
        (at(0, 2), FULL),
        (at(0, 8), INCREMENT),
        (at(0, 14), INCREMENT),
        (at(0, 20), INCREMENT),
    ]
    assert run(NIGHTLY, [at(1, 2)], Made(at(0, 2), at(0, 20)))[1] == [(at(1, 2), FULL)]


def test_turns_begin_anew_with_each_day():
    plan = Plan(window=0, full_every=7, increment_every=5)
    _, found = run(plan, [at(0, hour) for hour in range(48)])
    assert [(moment - MIDNIGHT) / HOUR for moment, _ in found] == [
        *(0, 5, 10, 15, 20),
        *(24, 29, 34, 39, 44),
    ]
    assert [due for _, due in found] == [FULL] + [INCREMENT] * 9


def test_what_was_missed_is_made_once():
    made = Made(at(0, 2))
    for hour in (3, 5, 7.9):  # five days without anybody who looks
        late = at(5, hour)
        assert run(NIGHTLY, [late, late + 60, late + HOUR / 20], made)[1] == [
            (late, FULL)
        ]
    after, _ = run(NIGHTLY, [at(5, 3)], made)
    assert schedules.following(NIGHTLY, after, at(5, 3)) == at(5, 8)
    weekly = Plan(window=120, full_every=7, increment_every=None)
    after, found = run(weekly, [at(9, 13)], made)
    assert found == [(at(9, 13), FULL)]
    assert schedules.following(weekly, after, at(9, 13)) == at(16, 2), "its own minute"


def test_a_change_of_the_plan_begins_nothing():
    made = Made(at(0, 14))
    earlier = Plan(window=120, increment_every=None)
    assert schedules.due(earlier, made, at(1, 10)) == FULL, "the day of it has begun"
    assert schedules.following(earlier, made, at(1, 10)) == at(2, 2)
    assert schedules.following(NIGHTLY, made, at(1, 10)) == at(1, 14)


def test_a_new_one_waits_for_its_turn():
    assert schedules.following(Plan(120, 7, None), Made(), at(0, 3)) == at(1, 2)
    assert schedules.following(NIGHTLY, Made(), at(0, 3)) == at(0, 8)
    assert schedules.following(NIGHTLY, Made(), at(0, 1)) == at(0, 2)


plans = st.builds(
    Plan,
    window=st.integers(0, 1439),
    full_every=st.integers(1, 365),
    increment_every=st.none() | st.integers(1, 24),
)
moments = st.integers(0, 400 * 24 * 60).map(lambda minute: MIDNIGHT + minute * MINUTE)
mades = st.builds(Made, full=st.none() | moments, increment=st.none() | moments)


@given(plans, mades, moments)
def test_the_next_moment_is_one_at_which_something_is_due(plan, made, now):
    following = schedules.following(plan, made, now)
    assert following > now
    last = max(made.full or 0, made.increment or 0)
    if last <= now:
        assert schedules.due(plan, made, following) is not None
        # and between the two nothing becomes due that was not
        if schedules.due(plan, made, now) is None:
            between = (now + following) / 2
            assert schedules.due(plan, made, between) is None
            assert schedules.due(plan, made, following - 0.01) is None


@given(plans, st.lists(moments, max_size=30))
def test_nothing_is_made_twice_in_a_turn(plan, looks):
    made, found = run(plan, sorted(looks))
    assert not looks or run(plan, sorted(looks), made)[1] == [], "the clock went back"
    length = (plan.increment_every or 24) * HOUR
    for (before, _), (after, _) in zip(found, found[1:], strict=False):
        assert before < after

        def turn(moment):
            day, rest = divmod(moment - plan.window * MINUTE, DAY)
            return day, rest // length

        assert turn(before) < turn(after)
    fulls = [moment for moment, due in found if due == FULL]
    for before, after in zip(fulls, fulls[1:], strict=False):
        assert after - before > (plan.full_every - 1) * DAY
    assert not found or found[0][1] == FULL, "no increment of nothing"


@given(plans, st.integers(0, 3 * 24 * 60))
def test_who_looks_at_each_next_moment_misses_nothing(plan, start):
    """Each day has its backup, and no more than it has turns."""
    made, now, found = Made(), MIDNIGHT + start * MINUTE, []
    while len(found) < 10:
        now = schedules.following(plan, made, now)
        due = schedules.due(plan, made, now)
        assert due is not None
        made = made.and_now(due, now)
        found.append(now)
    apart = [b - a for a, b in zip(found, found[1:], strict=False)]
    if plan.increment_every is None:
        assert set(apart) == {plan.full_every * DAY}
    else:
        assert max(apart) <= plan.increment_every * HOUR
        days = (found[-1] - found[0]) / DAY
        assert len(found) <= (days + 2) * -(-24 // plan.increment_every)


# -- what is over -------------------------------------------------------------------

C, F, B = BackupState.COMPLETED, BackupState.FAILED, BackupState.BUILDING
LINKS = [
    Link("a", None, C, 10),
    Link("a1", "a", C, 11),
    Link("b", None, C, 20),
    Link("c", None, C, 30),
]
ALL = {link.id for link in LINKS}


def over(links, scheduled, since, gone=None):
    trees = schedules.over(links, scheduled, since, gone)
    return [[link.id for link in tree] for tree in trees]


def test_what_goes_is_whole_and_has_nothing_that_a_user_made():
    assert over(LINKS, ALL, 15) == []
    assert over(LINKS, ALL, 25) == [["a", "a1"]]
    assert over(LINKS, ALL, 99) == [["a", "a1"], ["b"]]
    assert over(LINKS, ALL - {"a1"}, 99) == [["b"]]
    assert over(LINKS, set(), 99) == []


def test_of_an_instance_that_is_gone_the_last_ones_go_as_late_as_any():
    assert over(LINKS, ALL, 99, gone=100) == [["a", "a1"], ["b"]]
    assert over(LINKS, ALL, 100, gone=100) == [["a", "a1"], ["b"], ["c"]]
    assert over(LINKS, ALL - {"c"}, 100, gone=100) == [["a", "a1"], ["b"]]
    more = [*LINKS, Link("c1", "c", B, 31)]
    assert over(more, ALL | {"c1"}, 100, gone=100) == [["a", "a1"], ["b"]]


def test_one_that_failed_goes_when_there_is_another():
    links = [*LINKS, Link("d", "c", F, 40)]
    assert over(links, ALL | {"d"}, 0) == [], "it says why"
    links.append(Link("e", "c", F, 41))
    assert over(links, ALL | {"d", "e"}, 0) == [["d"]]
    assert over(links, ALL | {"e"}, 0) == []


@st.composite
def histories(draw):
    """Each stands on nothing, or on one of before."""
    links = []
    for number in range(draw(st.integers(0, 10))):
        parent = draw(st.sampled_from([None, *(link.id for link in links)]))
        state = draw(st.sampled_from(list(BackupState)))
        links.append(Link(str(number), parent, state, float(number)))
    return links


def restores(links):
    good = set()
    for link in links:
        try:
            good.add(backups.chain(links, link.id)[-1].id)
        except (backups.NotWhole, backups.NoChain):
            continue
    return good


@given(histories(), st.sets(st.integers(0, 9).map(str)), st.integers(-1, 12))
def test_nothing_of_a_users_and_never_the_last_one(links, scheduled, since):
    gone = {id for tree in over(links, scheduled, since) for id in tree}
    left = [link for link in links if link.id not in gone]
    assert gone <= scheduled
    assert not any(link.parent in gone for link in left)
    assert not any(link.state in backups.RUNNING for link in links if link.id in gone)
    before, after = restores(links), restores(left)
    assert after == before - gone
    assert bool(before) == bool(after)
    young = {link.id for link in links if link.ended > since}
    assert not (gone & young) & before


@pytest.mark.parametrize("hours, now", [(24, 1), (5, 23.5)])
def test_no_turn_goes_beyond_its_day(hours, now):
    plan = Plan(window=0, full_every=7, increment_every=hours)
    assert schedules.following(plan, Made(at(0)), at(0, now)) == at(1)


def test_a_log_without_a_backup_to_begin_at_has_a_full_one_due() -> None:
    fresh = Made(at(0, 2), at(0, 8))
    assert schedules.due(NIGHTLY, fresh, at(0, 9)) is None
    unbased = Made(at(0, 2), at(0, 8), based=False)
    assert schedules.due(NIGHTLY, unbased, at(0, 9)) == FULL
    taken = unbased.and_now(FULL, at(0, 9))
    assert schedules.due(NIGHTLY, taken, at(0, 9)) is None
