# SPDX-License-Identifier: Apache-2.0
"""Archives on each database: begun once, counted once, and what they restore."""

import typing

import pytest
from sqlalchemy import orm

from tests.contract.db.test_backups import DONE, at_once, write
from trove.db.queries import archives, backups, schedules, segments
from trove.db.session import Database, now
from trove.db.tables import Archive, DatastoreVersion, Guest, Instance
from trove.model.archives import AGAIN, ArchiveState, Base, Span
from trove.model.backups import BackupState
from trove.model.states import Task

PART = [2**40, "a" * 64, "b" * 32]
STORE = {"driver": "directory", "container": "c", "ring": "1", "key": "k"}


def instance(database: Database, id: str = "i-1", **columns: typing.Any) -> Instance:
    """One at rest whose policy wants an archive, and its guest."""
    said = {"enabled": True, "point_in_time": True, "minute": 5, "full_every": 1}
    said |= {"increment_every": None, "keep_days": 7, "next_due": 9e9}
    with database.transaction() as tx:
        version = tx.query(DatastoreVersion).first()
        about = {"project": "demo", "name": "n", "task": Task.NONE, "flavor_id": "1"}
        about |= {"was_active": True, "server_number": 1, "created": 1.0}
        about |= {"version_id": version.id if version else "v", "updated": 1.0}
        row = Instance(id=id, **(about | columns))
        tx.add(row)
        tx.add(Guest(instance_id=id, public_key="k"))
        schedules.put(tx, id, project="demo", **said)
    return row


def begun(database: Database, row: Instance) -> Archive:
    with database.transaction() as tx:
        id = archives.begin(tx, row, **STORE)
        assert id is not None
    with database.reading() as tx:
        return typing.cast(Archive, archives.get(tx, id))


def segment(number: int, **more: typing.Any) -> dict[str, typing.Any]:
    """The one of that number: a minute, and ten places."""
    about = {"number": number, "part": 2 * number, "count": 2, "parts": [PART] * 2}
    about |= {"first": 10 * number, "last": 10 * number + 9}
    return about | {"since": 60.0 * number, "until": 60.0 * number + 60.0} | more


def counted(database: Database, id: str, count: int) -> Archive:
    for _ in range(count):
        with database.transaction() as tx:
            row = archives.get(tx, id)
            assert row is not None
            assert archives.count(tx, row, [segment(row.segments)])
    with database.reading() as tx:
        return typing.cast(Archive, archives.get(tx, id))


def spans(tx: orm.Session, *instances: str) -> dict[str, Span]:
    found = tx.execute(archives.SPANS, {"instances": list(instances)})
    return {instance: Span(begin, end, id) for instance, id, begin, end in found}


def test_of_each_instance_one_is_open(database: Database) -> None:
    row = instance(database)
    first = begun(database, row)
    assert (first.state, first.open_of, first.segments) == ("OPEN", "i-1", 0)
    with database.transaction() as tx:
        assert archives.begin(tx, row, **STORE) is None
        assert archives.close(tx, first.id, "why", gap=False)
        assert not archives.close(tx, first.id, "another", gap=True)
    second = begun(database, row)
    with database.reading() as tx:
        found = archives.of_instance(tx, "i-1", "demo")
        assert [each.id for each in found] == [second.id, first.id]
        assert (found[1].reason, found[1].gap, found[1].again) == ("why", False, None)
        assert archives.of_instance(tx, "i-1", "other") == []


def test_who_wants_one(database: Database) -> None:
    write(database)
    ids = ["off", "busy", "young", "gone", "silent", "has", "time", "yes"]
    rows = {id: instance(database, id, server_number=n) for n, id in enumerate(ids)}
    begun(database, rows["has"])
    with database.transaction() as tx:
        schedules.changes(tx, "off", enabled=False)
        schedules.changes(tx, "time", point_in_time=False)
        tx.get_one(Instance, "busy").task = Task.RESIZING
        tx.get_one(Instance, "young").was_active = False
        tx.get_one(Instance, "gone").deleted_at = 5.0
        tx.get_one(Guest, "silent").public_key = None
    with database.reading() as tx:
        found = archives.wanting(tx, ["mariadb"], 9)
        assert [row.id for row in found] == ["yes"]
        assert archives.wanting(tx, ["postgresql"], 9) == []
        assert archives.wanting(tx, ["mariadb"], 0) == []


def test_the_second_gap_of_a_day_is_waited_for(database: Database) -> None:
    write(database)
    row = instance(database)
    for again in (None, AGAIN, 2 * AGAIN):
        made = begun(database, row)
        with database.transaction() as tx:
            moment = now(tx)
            assert archives.close(tx, made.id, "the log was lost", gap=True)
            closed = archives.get(tx, made.id)
            assert closed is not None and closed.again is not None
            assert closed.again - moment == pytest.approx(again or 0.0, abs=20)
        with database.reading() as tx:
            waits = not archives.wanting(tx, ["mariadb"], 9)
        assert waits == (again is not None)


def test_whose_turn_it_is(database: Database) -> None:
    made = begun(database, instance(database))
    with database.transaction() as tx:
        assert archives.due(tx, 9) == [made.id]
        held = archives.claim(tx, made.id, 30)
        assert held is not None and archives.claim(tx, made.id, 30) is None
        assert archives.due(tx, 9) == []
    with database.transaction() as tx:
        assert archives.heard(tx, "i-1", made.id, {"archive": made.id}, True)
        assert not archives.rest(tx, held, 60, missed_at=5.0), "it became due meanwhile"
        assert archives.due(tx, 9) == [made.id]
        again = archives.claim(tx, made.id, 30)
        assert again is not None and again.missed_at == 5.0
        assert archives.rest(tx, again, None, missed_at=None)
        assert archives.due(tx, 9) == []


def test_a_guest_is_heard_of_its_own_alone(database: Database) -> None:
    made = begun(database, instance(database))
    said = {"archive": made.id, "broken": "ünï ☃", "segments": []}
    with database.transaction() as tx:
        assert archives.claim(tx, made.id, 1e6) is not None
        assert not archives.heard(tx, "i-2", made.id, said, True)
        assert not archives.heard(tx, "i-1", "never", said, True)
        assert archives.heard(tx, "i-1", made.id, said, False)
        assert archives.due(tx, 9) == []
        row = archives.get(tx, made.id)
        assert row is not None and row.report == said and row.reported_at
        archives.close(tx, made.id, "why", gap=False)
        archives.changes(tx, made.id, due=None)
        assert archives.heard(tx, "i-1", made.id, said, False)
        assert archives.due(tx, 9) == [made.id], "it has not heard that it is over"
        archives.changes(tx, made.id, state=ArchiveState.DELETING, due=None)
        assert not archives.heard(tx, "i-1", made.id, said, True)


def test_segments_are_counted_in_their_order_and_once(database: Database) -> None:
    made = begun(database, instance(database))
    with database.transaction() as tx:
        assert not archives.count(tx, made, [])
        assert archives.count(tx, made, [segment(0, since=-5.0), segment(1)])
        assert not archives.count(tx, made, [segment(0)]), "another was faster"
        row = archives.get(tx, made.id)
        assert row is not None
        assert (row.segments, row.part, row.first, row.last) == (2, 4, 0, 19)
        assert (row.began, row.latest, row.stored) == (-5.0, 120.0, 4 * 2**40)
        assert archives.count(tx, row, [segment(2)])
        assert [each.number for each in segments.found(tx, made.id, 0)] == [0, 1, 2]
        (one,) = segments.found(tx, made.id, 1, 1)
        assert (one.parts, one.until) == ([PART] * 2, 120.0)
        assert segments.parts(tx, made.id, 1, 2) == [(2, 2), (4, 2)]
        archives.close(tx, made.id, "why", gap=True)
        row = archives.get(tx, made.id)
        assert row is not None and not archives.count(tx, row, [segment(3)])


def test_which_segments_a_replay_needs(database: Database) -> None:
    made = counted(database, begun(database, instance(database)).id, 5)
    with database.reading() as tx:
        for place, until, found in (
            (0, None, (0, 4)),
            (9, 60.0, (0, 0)),
            (10, 60.5, (1, 1)),
            (25, 299.0, (2, 4)),
            (50, 299.0, None),
            (25, 301.0, None),
        ):
            assert segments.numbers(tx, made.id, place, until) == found
        assert segments.numbers(tx, "never", 0, None) is None


BASES = (
    ("before", None, DONE),
    ("a", None, DONE),
    ("b", "a", DONE),
    ("failed", None, BackupState.FAILED),
    ("gone", None, DONE),
    ("beyond", None, DONE),
    ("another", None, DONE),
    ("old", None, DONE),
)
PLACES = {"before": (9, 5.0), "a": (12, 80.5), "b": (30, 181.0), "failed": (10, 61.0)}
PLACES |= {"gone": (10, 61.0), "beyond": (51, 299.0), "old": (30, -1.0)}


def test_what_an_archive_restores(database: Database) -> None:
    """From the first backup whose log is in it, of those that are there."""
    write(database, *BASES)
    made = counted(database, begun(database, instance(database)).id, 5)
    with database.transaction() as tx:
        assert spans(tx, "i-1") == {} and not archives.has_base(tx, "i-1")
        for id, (place, moment) in PLACES.items():
            backups.changes(tx, id, place=place, moment=moment)
        backups.changes(tx, "gone", deleted_at=5.0)
        archives.changes(tx, made.id, first=10)
        wanted = [Base("a", 12, 80.5), Base("b", 30, 181.0)]
        assert sorted(archives.bases(tx, made.id)) == wanted
        assert spans(tx, "i-1", "i-2") == {"i-1": Span(80.5, 300.0, made.id)}
        assert archives.has_base(tx, "i-1") and archives.has_base(tx, "i-2")
        archives.close(tx, made.id, "why", gap=True)
        assert spans(tx, "i-1") == {"i-1": Span(80.5, 300.0, made.id)}
        assert archives.has_base(tx, "i-1"), "there is none to be one of"
        archives.changes(tx, made.id, state=ArchiveState.DELETING)
        assert spans(tx, "i-1") == {}


# -- many at once -------------------------------------------------------------------


def test_many_begin_one(server: Database) -> None:
    row = instance(server)

    def begin(_: int) -> str | None:
        return server.run(lambda tx: archives.begin(tx, row, **STORE))

    made = [id for id in at_once(8, begin) if id is not None]
    assert len(made) == 1


def test_many_claim_and_count_once(server: Database) -> None:
    made = begun(server, instance(server))

    def claim(_: int) -> typing.Any:
        return server.run(lambda tx: archives.claim(tx, made.id, 30))

    assert sum(one is not None for one in at_once(8, claim)) == 1

    def count(_: int) -> bool:
        return server.run(lambda tx: archives.count(tx, made, [segment(0)]))

    assert sorted(at_once(8, count)) == [False] * 7 + [True]
    with server.reading() as tx:
        assert len(segments.found(tx, made.id, 0)) == 1


def test_a_count_and_the_end_come_in_some_order(server: Database) -> None:
    row = instance(server)
    for _ in range(5):
        made = begun(server, row)
        deeds = (
            lambda tx, made=made: archives.count(tx, made, [segment(0)]),
            lambda tx, made=made: archives.close(tx, made.id, "why", gap=False),
        )
        was_counted, closed = at_once(2, lambda n, deeds=deeds: server.run(deeds[n]))
        assert closed
        with server.reading() as tx:
            found = archives.get(tx, made.id)
            assert found is not None and found.state == ArchiveState.CLOSED
            assert found.segments == len(segments.found(tx, made.id, 0))
            assert found.segments == int(was_counted)
