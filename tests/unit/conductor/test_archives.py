# SPDX-License-Identifier: Apache-2.0
"""A guest's word of its archive: what cannot be true is not even stored."""

import dataclasses

import pytest

from trove import errors
from trove.conductor import archives
from trove.context import Context
from trove.db.tables import Archive
from trove.rpc import codec
from trove.rpc.messages import ArchiveReport, PartShown, SegmentShown
from trove.storage.vault.protocol import LIST

PART = PartShown(3, "a" * 64, "b" * 32)
ONE = SegmentShown(0, 0, (PART, PART), 4, 9, 100.0, 140.5)
SAID = ArchiveReport("a-1", (ONE,), 64, None, 2**40)


@pytest.fixture
def archive(office):
    with office.database.transaction() as tx:
        about = {"project": "p", "version_id": "v", "driver": "d", "container": "c"}
        about |= {"ring": "1", "key": "k", "created": 1.0, "updated": 1.0}
        row = Archive(id="a-1", instance_id="i", open_of="i", state="OPEN", **about)
        tx.add(row)
    return lambda: _read(office)


def _read(office):
    with office.database.reading() as tx:
        return tx.get(Archive, "a-1")


def test_what_a_guest_says_is_due_at_once(office, guest, archive):
    office.manager.archived(guest, SAID)
    row = archive()
    assert codec.decode(ArchiveReport, row.report) == SAID
    assert row.due == row.reported_at == 1000.0


def test_what_is_no_news_wakes_nobody(office, guest, archive):
    office.manager.archived(guest, ArchiveReport("a-1", waiting=0))
    assert archive().due is None and archive().reported_at == 1000.0


def test_a_reason_is_cut(office, guest, archive):
    office.manager.archived(guest, ArchiveReport("a-1", broken="x" * 3000))
    assert archive().report["broken"] == "x" * archives.REASON
    assert archive().due == 1000.0


@pytest.mark.parametrize("sender", [None, "guest-j", "guest", "trove-control"])
def test_nobody_speaks_for_another(office, archive, sender):
    """Section 4: impersonate another guest."""
    office.manager.archived(Context(broker_user=sender), SAID)
    assert archive().report is None


def with_part(**change):
    part = dataclasses.replace(PART, **change)
    return {"segments": (dataclasses.replace(ONE, parts=(part,)),)}


def with_segment(**change):
    return {"segments": (dataclasses.replace(ONE, **change),)}


HOSTILE = [
    {"segments": (ONE,) * (archives.SEGMENTS + 1)},
    with_segment(parts=(PART,) * (archives.PARTS + 1)),
    with_segment(parts=()),
    *(with_segment(number=each) for each in (-1, 2**53, 2**62)),
    *(with_segment(part=each) for each in (-1, LIST - 1, LIST)),
    *(with_segment(first=each) for each in (-1, 2**53)),
    *(with_segment(last=each) for each in (-5, 2**53)),
    *(with_segment(since=each) for each in (-1.0, 1e12)),
    *(with_segment(until=each) for each in (-1.0, 1e300)),
    *(with_part(size=each) for each in (0, -1, 2**40)),
    *(with_part(sha256=each) for each in ("", "A" * 64, "a" * 63, "a" * 64 + "\n")),
    *(with_part(md5=each) for each in ("", "b" * 33, "../" * 10 + "bb")),
    *({"want": each} for each in (-1, LIST)),
    *({"waiting": each} for each in (-1, 2**53)),
]


@pytest.mark.parametrize("said", HOSTILE, ids=lambda said: str(said)[:60])
def test_what_cannot_be_true_is_refused(office, guest, archive, said):
    with pytest.raises(errors.Invalid):
        office.manager.archived(guest, dataclasses.replace(SAID, **said))
    assert archive().report is None
