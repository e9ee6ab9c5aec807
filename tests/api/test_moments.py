# SPDX-License-Identifier: Apache-2.0
"""A moment of an instance: which can be restored, how it is asked for, whose it is."""

import datetime
import typing

import pytest

from tests.api.world import World
from trove.db.queries import archives, backups, instances
from trove.db.tables import Archive, Backup
from trove.model import operations
from trove.model.archives import ArchiveState

Plain = dict[str, typing.Any]
START = 1_800_000_000.0
NEVER = "6f3d5c2e-1111-4222-8333-444455556666"


def at(moment: float) -> str:
    """As it is shown."""
    found = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return f"{found:%Y-%m-%dT%H:%M:%S}"


def archived(
    world: World, id: str, begin: float, end: float, last: int = 9, **columns: object
) -> str:
    """A new archive of an instance, from one moment of the world to another."""
    with world.database.transaction() as tx:
        row = instances.get(tx, id)
        assert row is not None
        store = {"driver": "directory", "container": "c", "ring": "1", "key": "k"}
        made = archives.begin(tx, row, **store)
        assert made is not None
        tx.flush()
        about = {"segments": 1, "first": 0, "began": START + begin, "last": last}
        about |= {"latest": START + end, "created": START + begin, **columns}
        archives.changes(tx, made, **about)
    return made


def based(world: World, id: str, moment: float, place: int = 3) -> str:
    """A whole backup that a replay can begin at."""
    world.finish(id)
    made = world.backup(id)
    with world.database.transaction() as tx:
        backups.changes(tx, made, place=place, moment=START + moment)
    return made


def closed(world: World, archive: str) -> None:
    with world.database.transaction() as tx:
        archives.close(tx, archive, "a piece was lost", gap=True)


@pytest.fixture
def source(world: World) -> str:
    """One that can be restored from 100.5 until 200.75, by a backup at 100.5 and one at
    150; from 300 until 400, after a gap; and it is long after all that."""
    id = world.active(datastore={"type": "postgresql"})
    first = archived(world, id, 50, 200.75)
    based(world, id, 100.5)
    based(world, id, 150, 5)
    closed(world, first)
    archived(world, id, 250, 400)
    based(world, id, 300)
    world.clock = START + 5000
    return id


def restored(world: World, point: Plain, **how: typing.Any) -> typing.Any:
    order: Plain = {"name": "again", "flavorRef": "1", "volume": {"size": 1}}
    order |= {"restorePoint": point} | how.pop("order", {})
    return world.ask("POST", how.pop("path", "instances"), {"instance": order}, **how)


def of(world: World, id: str, moment: float, **how: typing.Any) -> typing.Any:
    said = datetime.datetime.fromtimestamp(START + moment, datetime.UTC).isoformat()
    return restored(world, {"instance": id, "time": said}, **how)


def input_of(world: World, answer: typing.Any) -> operations.CreateInstance:
    assert answer.status_int == 200, answer.text
    (operation,) = world.operations(answer.json["instance"]["id"])
    return operations.CreateInstance.from_dict(operation.input or {})


# -- shown ----------------------------------------------------------------------------


def test_the_times_are_shown_of_each_and_in_lists(world: World, source: str) -> None:
    """Whole seconds that are in it."""
    other = world.active()
    shown = world.ask("GET", f"instances/{source}").json["instance"]
    last = (at(START + 300), at(START + 400))
    names = ("earliest_restorable_time", "latest_restorable_time")
    assert tuple(shown[name] for name in names) == last
    assert shown["restorable_times"] == [
        {"from": at(START + 101), "until": at(START + 200)},
        {"from": last[0], "until": last[1]},
    ]
    for path in ("instances", "instances/detail"):
        rows = {row["id"]: row for row in world.ask("GET", path).json["instances"]}
        assert tuple(rows[source][name] for name in names) == last
        assert not rows[other].keys() & {*names, "restorable_times"}
    xml = world.ask("GET", f"instances/{source}", xml=True).text
    assert "<restorable_times>" in xml and f'until="{last[1]}"' in xml


def test_a_gap_stops_the_clock(world: World, source: str) -> None:
    """Until there is a backup behind it."""
    with world.database.transaction() as tx:
        (row, _) = archives.of_instance(tx, source)
    closed(world, row.id)
    archived(world, source, 500, 600)
    shown = world.ask("GET", f"instances/{source}").json["instance"]
    assert shown["latest_restorable_time"] == at(START + 400)
    based(world, source, 550)
    shown = world.ask("GET", f"instances/{source}").json["instance"]
    assert shown["earliest_restorable_time"] == at(START + 550)
    assert shown["latest_restorable_time"] == at(START + 600)
    assert len(shown["restorable_times"]) == 3


def test_without_a_backup_there_is_no_time(world: World) -> None:
    id = world.active()
    archived(world, id, 0, 500)
    world.clock += 1000
    shown = world.ask("GET", f"instances/{id}").json["instance"]
    assert "latest_restorable_time" not in shown
    answer = of(world, id, 100)
    assert answer.status_int == 400 and "no backup" in answer.text


# -- asked for ------------------------------------------------------------------------


def test_a_time_is_a_backup_and_the_log_behind_it(world: World, source: str) -> None:
    with world.database.reading() as tx:
        rows = {row.moment: row.id for row in tx.query(Backup)}
        second, first = archives.of_instance(tx, source)
    for moment, base, archive in (
        (100.5, 100.5, first),
        (149.75, 100.5, first),
        (150, 150, first),
        (200.75, 150, first),
        (300, 300, second),
        (399.999, 300, second),
    ):
        answer = of(world, source, moment)
        input = input_of(world, answer)
        assert input.restore == rows[START + base]
        replay = operations.Replay(archive.id, pytest.approx(START + moment))
        assert input.replay == replay
        made = answer.json["instance"]
        assert made["datastore"]["type"] == "postgresql"
        with world.database.reading() as tx:
            row = instances.load(tx, made["id"])
        assert row.restored_from == input.restore


@pytest.mark.parametrize(
    "text",
    [
        "2027-01-15T08:02:30",
        "2027-01-15T08:02:30Z",
        "2027-01-15T08:02:30.000+00:00",
        "2027-01-15T09:32:30+01:30",
        "2027-01-14T22:02:30.0-10:00",
    ],
)
@pytest.mark.parametrize("xml", [False, True])
def test_a_time_has_a_zone_or_is_utc(
    world: World, source: str, text: str, xml: bool
) -> None:
    answer = restored(world, {"instance": source, "time": text}, xml=xml)
    assert answer.status_int == 200, answer.text
    rows = world.ask("GET", "instances").json["instances"]
    (made,) = (row["id"] for row in rows if row["name"] == "again")
    (operation,) = world.operations(made)
    assert (operation.input or {})["replay"]["until"] == START + 150


@pytest.mark.parametrize(
    ("moment", "why"),
    [
        (100.25, "before the first backup"),
        (-1e8, "before the first backup"),
        (201, "gap of its log"),
        (299.5, "gap of its log"),
        (400.5, "not in the store yet"),
        (5001, "in the future"),
        (1e9, "in the future"),
    ],
)
def test_another_time_is_refused_with_those_that_are_not(
    world: World, source: str, moment: float, why: str
) -> None:
    answer = of(world, source, moment)
    assert answer.status_int == 400 and why in answer.text
    for bound in (101, 200, 300, 400):
        assert f"{at(START + bound)}Z" in answer.text
    assert len(world.ask("GET", "instances").json["instances"]) == 1


HOSTILE: list[Plain] = [
    *(
        {"instance": NEVER, "time": each}
        for each in (
            "now",
            "",
            "2027-01-15",
            "2027-01-15 08:02:30",
            "2027-13-15T08:02:30Z",
            "2027-02-30T08:02:30Z",
            "2027-01-15T08:02:60Z",
            "2027-01-15T25:02:30Z",
            "2027-01-15T08:02:30+25:00",
            "2027-01-15T08:02:30.1234567Z",
            "2027-01-15T08:02:30,5Z",
            "2027-W03-5T08:02:30Z",
            "٢٠٢٧-01-15T08:02:30Z",
            "9999-12-31T23:59:59-14:00",
            "0001-01-01T00:00:00+14:00",
            "1969-12-31T23:59:59Z",
            "2027-01-15T08:02:30Z\n",
            "2027-01-15T08:02:30Z' OR 1=1",
            None,
            1800000150,
            1e300,
            ["2027-01-15T08:02:30Z"],
        )
    ),
    *(
        {"instance": NEVER, "point": each}
        for each in ("", "x" * 64, "a\nb", "a'b", "a\\b", "a\x00b", None, 5, {})
    ),
    {"instance": NEVER},
    {"instance": NEVER, "time": "2027-01-15T08:02:30Z", "point": "p"},
    {"instance": NEVER, "backupRef": NEVER},
    {"backupRef": NEVER, "time": "2027-01-15T08:02:30Z"},
    {"time": "2027-01-15T08:02:30Z"},
    {"instance": "../x", "time": "2027-01-15T08:02:30Z"},
    {"instance": None, "time": "2027-01-15T08:02:30Z"},
    {"x": 1},
]


@pytest.mark.parametrize("said", HOSTILE, ids=lambda said: ascii(said)[:70])
def test_what_is_no_moment_is_refused(world: World, said: Plain) -> None:
    assert restored(world, said).status_int == 400


def test_a_point_with_a_name(world: World, source: str) -> None:
    """Where it is nobody knows: it begins at the first backup since the last gap."""
    answer = restored(world, {"instance": source, "point": "before the deploy"})
    input = input_of(world, answer)
    with world.database.reading() as tx:
        (second, _) = archives.of_instance(tx, source)
        (base,) = archives.bases(tx, second.id)
    assert input.restore == base.id
    assert input.replay == operations.Replay(second.id, None, "before the deploy")


def test_what_the_engine_cannot_do_is_said(world: World) -> None:
    id = world.active()
    archived(world, id, 0, 500)
    based(world, id, 100)
    world.clock += 1000
    answer = restored(world, {"instance": id, "point": "p"})
    assert answer.status_int == 400 and "no points with names" in answer.text
    answer = of(world, id, 150.5)
    assert answer.status_int == 400 and "whole seconds" in answer.text
    assert of(world, id, 150).status_int == 200


def test_another_projects_is_not_there(world: World, source: str) -> None:
    """S7, S26."""
    theirs = of(world, source, 150, caller="stranger")
    none = of(world, NEVER, 150, caller="stranger")
    assert theirs.status_int == none.status_int == 404
    assert theirs.text.replace(source, NEVER) == none.text
    assert of(world, source, 150, caller="reader").status_int == 403


def test_of_a_deleted_instance_as_long_as_its_log_is_kept(
    world: World, source: str
) -> None:
    with world.database.transaction() as tx:
        instances.changes(tx, source, deleted_at=world.clock)
    assert of(world, source, 150).status_int == 200
    with world.database.transaction() as tx:
        for row in tx.query(Archive):
            row.state, row.open_of = ArchiveState.DELETING, None
    answer = of(world, source, 150)
    assert answer.status_int == 400 and "no backup" in answer.text


def test_a_volume_a_version_and_a_quota_are_as_of_the_backup(
    world: World, source: str
) -> None:
    with world.database.transaction() as tx:
        for row in tx.query(Backup):
            row.size = 2**30 + 1
    answer = of(world, source, 150)
    assert answer.status_int == 403 and "at the least" in answer.text
    assert of(world, source, 150, order={"volume": {"size": 2}}).status_int == 200
    other = {"volume": {"size": 2}, "datastore": {"type": "mariadb"}}
    answer = of(world, source, 150, order=other)
    assert answer.status_int == 400 and "postgresql" in answer.text


def test_what_a_restore_needs_stays(world: World, source: str) -> None:
    input = input_of(world, of(world, source, 150))
    answer = world.ask("DELETE", f"backups/{input.restore}")
    assert answer.status_int == 422 and "is being made of it" in answer.text


def test_a_dry_run_refuses_as_the_thing_does_and_makes_nothing(
    world: World, source: str
) -> None:
    path = "instances?dry_run=1"
    assert of(world, source, 250, path=path).status_int == 400
    answer = of(world, source, 150, path=path)
    assert answer.status_int == 200, answer.text
    assert operations.CREATE in str(answer.json["dry_run"]["operations"])
    assert len(world.ask("GET", "instances").json["instances"]) == 1


def test_the_same_key_is_the_same_restore(world: World, source: str) -> None:
    key = {"Idempotency-Key": "k"}
    first, again = (of(world, source, 150, headers=key) for _ in range(2))
    assert first.json["instance"]["id"] == again.json["instance"]["id"]
    assert of(world, source, 151, headers=key).status_int == 409
