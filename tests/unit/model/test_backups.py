# SPDX-License-Identifier: Apache-2.0
"""Chains of backups, and what retention may take away (INV-10)."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trove.model import backups
from trove.model.backups import BackupState, Link, NoChain, NotWhole, TooLong

C, F, B = BackupState.COMPLETED, BackupState.FAILED, BackupState.BUILDING


def ids(links):
    return [link.id for link in links]


LINKS = [
    Link("a", None, C, 10),
    Link("a1", "a", C, 11),
    Link("a2", "a1", C, 12),
    Link("b", None, C, 20),
    Link("b1", "b", F, 21),
    Link("b2", "b", B, 22),
    Link("x", "gone", C, 23),
]


def test_a_restore_needs_all_that_it_stands_on():
    assert ids(backups.chain(LINKS, "a2")) == ["a", "a1", "a2"]
    assert ids(backups.chain(LINKS, "b")) == ["b"]
    for id, why in (("b1", NotWhole), ("b2", NotWhole), ("x", NoChain), ("y", NoChain)):
        with pytest.raises(why):
            backups.chain(LINKS, id)


def test_one_that_restores_stands_on_none_that_failed():
    links = [Link("a", None, F, 1), Link("a1", "a", C, 2)]
    with pytest.raises(NotWhole, match="Backup a is FAILED"):
        backups.chain(links, "a1")


def test_a_ring_is_no_chain():
    ring = [Link("a", "b", C, 1), Link("b", "a", C, 2)]
    with pytest.raises(NoChain):
        backups.chain(ring, "a")


def test_a_chain_has_an_end():
    links = [Link("0", None, C, 0)]
    links += [Link(str(n), str(n - 1), C, n) for n in range(1, backups.LINKS)]
    assert backups.parent(links, "0").id == "0"
    with pytest.raises(TooLong):
        backups.parent(links, links[-1].id)


def test_what_goes_is_a_whole_tree_before_the_last_full_one():
    assert backups.over(LINKS, 9) == []
    assert backups.over(LINKS, 15) == [], "it is the one that 15 is restored from"
    assert [ids(tree) for tree in backups.over(LINKS, 20)] == [["a", "a1", "a2"]]
    assert [ids(tree) for tree in backups.over(LINKS, 100)] == [["a", "a1", "a2"]]


def test_a_full_one_that_failed_keeps_nothing_away():
    links = [*LINKS[:3], Link("b", None, F, 20)]
    assert backups.over(links, 100) == []


def test_a_tree_on_which_one_is_made_stays():
    links = [Link("a", None, C, 1), Link("a1", "a", B, 2), Link("b", None, C, 3)]
    assert backups.over(links, 100) == []


states = st.sampled_from(list(BackupState))


@st.composite
def histories(draw):
    """Each stands on nothing, or on one of before."""
    links = []
    for number in range(draw(st.integers(0, 12))):
        names = [None, *(link.id for link in links)]
        parent = draw(st.sampled_from(names))
        links.append(Link(str(number), parent, draw(states), float(number)))
    return draw(st.permutations(links))


@given(histories(), st.integers(-1, 14))
def test_retention_takes_no_moment_away(links, since):
    gone = {link.id for tree in backups.over(links, since) for link in tree}
    left = [link for link in links if link.id not in gone]

    def restores(some):
        good = {}
        for link in some:
            try:
                good[link.id] = backups.chain(some, link.id)
            except (NotWhole, NoChain):
                continue
        return good

    before, after = restores(links), restores(left)
    # nothing that is left lost what it stands on
    assert set(after) == set(before) - gone
    assert not any(link.parent in gone for link in left)
    # the moment itself is restored from the same as before, and all later ones
    bases = [c[0] for c in before.values() if c[0].ended <= since]
    if bases:
        assert max(base.ended for base in bases) == max(
            c[0].ended for c in after.values() if c[0].ended <= since
        )
    # and where anything restored, something does
    assert bool(before) == bool(after)
    assert not any(link.state in backups.RUNNING for link in links if link.id in gone)


def sick(links, *ids):
    return [
        dataclasses.replace(link, unsound=True) if link.id in ids else link
        for link in links
    ]


def test_the_whole_tree_of_an_unsound_one_is_spoilt():
    assert backups.spoilt(LINKS) == set()
    assert backups.spoilt(sick(LINKS, "a1")) == {"a", "a1", "a2"}


def test_one_that_did_not_restore_keeps_nothing_away():
    """What it would have taken the place of stays until there is another."""
    links = [Link("a", None, C, 10), Link("b", None, C, 20), Link("c", None, C, 30)]
    assert [ids(tree) for tree in backups.over(links, 100)] == [["a"], ["b"]]
    assert [ids(tree) for tree in backups.over(sick(links, "c"), 100)] == [["a"]]
    assert backups.over(sick(links, "b", "c"), 100) == []


def test_no_increment_stands_on_one_whose_log_is_gone():
    """What stands on it already restores as before, and has increments of its own."""
    known = [dataclasses.replace(LINKS[0], last=True), *LINKS[1:]]
    with pytest.raises(backups.Last, match="must be full"):
        backups.parent(known, "a")
    assert backups.parent(known, "a1") == LINKS[1]
    assert list(map(ids, backups.over(known, 20))) == [["a", "a1", "a2"]]


def test_no_increment_stands_on_what_did_not_restore():
    with pytest.raises(backups.Unsound, match="must be full"):
        backups.parent(sick(LINKS, "a1"), "a2")
    assert backups.parent(LINKS, "a2").id == "a2"
