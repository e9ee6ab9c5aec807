# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/datastores/postgresql/agent/changes.py: whose writes count, by what
``pg_waldump`` says of a log (15 and 17)."""

import pytest

from trove.datastores.postgresql.agent import changes
from trove.datastores.postgresql.agent.changes import Sight, Unclear, Unseen
from trove.datastores.rows import Bound, Limits

GOODS, PAIRS, STATISTIC = 20001, 20002, 2619
DATABASE, OTHER = 16384, 16385
END = 0x1000


def line(manager, transaction, place, said):
    at = f"0/{place:08X}"
    return (
        f"rmgr: {manager:<11} len (rec/tot):     54/   150, tx: {transaction:>10}, "
        f"lsn: {at}, prev 0/00000028, desc: {said}\n"
    ).encode()


def wrote(transaction, place, file, database=DATABASE, said="INSERT off 3 flags 0x00"):
    block = f"blkref #0: rel 1663/{database}/{file} blk 0 FPW"
    return line("Heap", transaction, place, f"{said}, {block}")


def commit(transaction, place, more=""):
    said = f"COMMIT 2026-11-30 00:16:02.346051 UTC{more}"
    return line("Transaction", transaction, place, said)


ENDED = line("XLOG", 0, END, "BACKUP_END 0/2000028")


class Lines:
    """A log of which this is what is said."""

    def __init__(self, *lines):
        self.lines = lines

    def records(self, bound, *managers, of=None):
        for each in map(changes._record, self.lines):
            if each.manager.decode() in managers:
                if of is None or each.transaction in of:
                    yield each


def sight(database=DATABASE, at=0x2000, until=0x3000, running=(), behind=2**31):
    files = {GOODS: 1, PAIRS: 2, STATISTIC: None}
    return Sight(database, at, until, Unseen(behind, set(running)), files)


def changed(*lines, first=100, sights=None):
    lines = sorted((*lines, ENDED), key=where)
    return changes.changed(Lines(*lines), first, sights or [sight()], Bound(Limits(60)))


def where(said):
    return said.partition(b"lsn: ")[2][:10]


def test_what_nobody_wrote_to_is_as_it_was():
    assert changed() == {DATABASE: set()}
    before = [wrote(101, 0x100, GOODS), commit(101, 0x200)]
    aborted = [wrote(102, 0x1100, GOODS), line("Transaction", 102, 0x1200, "ABORT 2")]
    after = [wrote(103, 0x1300, PAIRS), commit(103, 0x2100)]
    assert changed(*before, *aborted, *after) == {DATABASE: set()}


def test_who_was_committed_since_counts_whenever_he_wrote():
    assert changed(wrote(101, 0x100, GOODS), commit(101, 0x1200)) == {DATABASE: {1}}
    assert changed(wrote(101, 0x1100, PAIRS), commit(101, 0x1200)) == {DATABASE: {2}}


def test_a_part_of_a_transaction_counts_as_it_does():
    some = [wrote(102, 0x100, GOODS), wrote(103, 0x1100, PAIRS)]
    parts = commit(101, 0x1200, "; subxacts: 102 103; inval msgs: catcache 55")
    assert changed(*some, parts) == {DATABASE: {1, 2}}


def test_who_is_committed_by_the_log_and_was_not_seen_counts():
    """He had not told the others yet when the snapshot was made."""
    some = [wrote(102, 0x100, GOODS), commit(101, 0x200, "; subxacts: 102")]
    assert changed(*some) == {DATABASE: set()}
    assert changed(*some, sights=[sight(running=[101])]) == {DATABASE: {1}}
    assert changed(*some, sights=[sight(behind=101)]) == {DATABASE: {1}}
    assert changed(*some, sights=[sight(behind=103)]) == {DATABASE: set()}


def test_what_changes_no_row_does_not_count():
    harmless = (
        "LOCK off 3: xid 101: flags 0x00 LOCK_ONLY EXCL_LOCK",
        "INPLACE off 27",
        "PRUNE latestRemovedXid 733 nredirected 1 ndead 0",
    )
    some = [wrote(101, 0x1100, GOODS, said=each) for each in harmless]
    assert changed(*some, commit(101, 0x1200)) == {DATABASE: set()}
    reckoned = wrote(101, 0x1100, STATISTIC)
    assert changed(reckoned, commit(101, 0x1200)) == {DATABASE: set()}


@pytest.mark.parametrize(
    "some",
    [
        wrote(101, 0x1100, 1259),
        line("Storage", 101, 0x1100, f"CREATE base/{DATABASE}/20009"),
        line(
            "Storage", 101, 0x1100, f"CREATE pg_tblspc/7/PG_15_2022/{DATABASE}/{GOODS}"
        ),
        wrote(101, 0x1100, 1262, database=0),
        line("Storage", 101, 0x1100, "CREATE global/1262"),
    ],
)
def test_what_may_be_a_definition_may_be_of_any_table(some):
    """And of any moment until all were read."""
    told = "; inval msgs: catcache 55 relcache 20001"
    for place in (0x1200, 0x2500):
        assert changed(some, commit(101, place, told)) == {DATABASE: None}
    assert changed(some, commit(101, 0x3000, told)) == {DATABASE: set()}


def test_each_database_has_its_own():
    sights = [sight(), sight(OTHER, at=0x4000, until=0x5000)]
    some = [
        *(wrote(101, 0x1100, GOODS), commit(101, 0x1200)),
        *(wrote(102, 0x1100, PAIRS, OTHER), commit(102, 0x3500)),
        *(wrote(103, 0x1100, 1259, 5), commit(103, 0x1300)),
    ]
    assert changed(*some, sights=sights) == {DATABASE: {1}, OTHER: {2}}
    everywhere = [wrote(101, 0x1100, 1262, 0), commit(101, 0x1200)]
    assert changed(*everywhere, sights=sights) == {DATABASE: None, OTHER: None}


def test_numbers_go_round():
    first = 2**32 - 5 + 2**33
    some = [wrote(7, 0x1100, GOODS), commit(7, 0x1200)]
    sights = [sight(behind=9)]
    assert changed(*some, first=first, sights=sights) == {DATABASE: {1}}


@pytest.mark.parametrize(
    ("some", "says"),
    [
        ([commit(99, 0x1200)], "began before"),
        ([line("Transaction", 9, 0x100, "PREPARE gid x: 2026")], "two phases"),
        ([line("Transaction", 9, 0x100, "COMMIT_PREPARED 7: 2026")], "two phases"),
        ([b"pg_waldump: something else\n"], "not understood"),
        ([line("Heap", 101, 0x1100, "INSERT"), commit(101, 0x1200)], "no file"),
    ],
)
def test_what_is_not_known_is_said(some, says):
    with pytest.raises(Unclear, match=says):
        changed(*some)


def test_of_several_ends_the_first_counts():
    later = line("XLOG", 0, END + 0x500, "BACKUP_END 0/2000028")
    some = [wrote(101, 0x100, GOODS), commit(101, END + 0x100)]
    assert changed(*some, later) == {DATABASE: {1}}
    with pytest.raises(Unclear, match="end of the backup"):
        changes.changed(Lines(*some), 100, [sight()], Bound(Limits(60)))


def test_no_more_is_kept_in_mind_than_matters(monkeypatch):
    monkeypatch.setattr(changes, "MOST", 3)
    before = [commit(100 + n, 0x100 + n) for n in range(9)]
    after = [commit(200 + n, 0x2100 + n) for n in range(9)]
    assert changed(*before, *after) == {DATABASE: set()}
    meanwhile = [commit(300 + n, END + 0x100 + n) for n in range(4)]
    with pytest.raises(Unclear, match="more committed"):
        changed(*meanwhile)


def test_a_file_of_two_tables_is_of_neither():
    assert changes.counted([(1, 10), (2, 20), (1, 30)]) == {2: 20}
