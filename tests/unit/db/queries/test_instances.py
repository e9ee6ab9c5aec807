# SPDX-License-Identifier: Apache-2.0
"""Instances: found by their owner only, listed with all a view needs, moved by rule."""

import pytest

from trove import errors
from trove.db.queries import instances, reports
from trove.db.session import epoch_now
from trove.model.states import MOVES, OperationState, Task
from trove.rpc.messages import Report


def ids(page):
    return [seen.instance.id for seen in page]


def test_an_instance_is_its_projects(database, instance):
    id = instance()
    with database.reading() as tx:
        assert instances.load(tx, id).id == id
        assert instances.load(tx, id, "demo").id == id
        for call in (instances.load, instances.seen):
            with pytest.raises(errors.InstanceNotFound):
                call(tx, id, "other")
            with pytest.raises(errors.InstanceNotFound):
                call(tx, "nowhere")


def test_a_deleted_one_is_found_by_workers_only(database, instance, clock):
    id = instance(deleted_at=clock())
    with database.reading() as tx:
        assert instances.get(tx, id).id == id
        assert instances.seen(tx, id, deleted=None).instance.id == id
        with pytest.raises(errors.InstanceNotFound):
            instances.load(tx, id)
        with pytest.raises(errors.InstanceNotFound):
            instances.seen(tx, id)


def test_pages_follow_each_other(database, instance, clock):
    mine = [instance() for _ in range(5)]
    instance(project="other")
    instance(deleted_at=clock())
    with database.reading() as tx:
        first = instances.page(tx, project="demo", limit=3)
        rest = instances.page(tx, project="demo", limit=3, marker=mine[2])
    assert ids(first) + ids(rest) == mine


def test_a_view_has_all_it_needs(database, instance, operation, clock):
    source = instance()
    replicas = [instance(source_id=source), instance(source_id=source)]
    gone = instance(source_id=source, deleted_at=clock())
    operation(source, kind="instance.restart")
    with database.transaction() as tx:
        reports.record(tx, source, Report(boot=1, seq=1, service="healthy"))
    clock.now += 12
    with database.reading() as tx:
        by_id = {s.instance.id: s for s in instances.page(tx, project="demo", limit=9)}
    assert gone not in by_id
    seen = by_id[source]
    assert (seen.datastore, seen.version.name) == ("mariadb", "10.11")
    assert (seen.report.service, seen.age) == ("healthy", pytest.approx(12))
    assert (seen.live, seen.live_state) == ("instance.restart", OperationState.RUNNING)
    assert seen.replicas == tuple(replicas)
    assert seen.source is None
    replica = by_id[replicas[0]]
    assert (replica.source, replica.replicas) == (source, ())
    assert (replica.report, replica.age, replica.live) == (None, None, None)


def test_a_deleted_source_is_not_shown(database, instance, clock):
    source = instance(deleted_at=clock())
    replica = instance(source_id=source)
    with database.reading() as tx:
        assert instances.seen(tx, replica).source is None


def test_an_instance_outlives_its_version(database, instance):
    id = instance(version_id="gone")
    with database.reading() as tx:
        seen = instances.seen(tx, id)
    assert (seen.version, seen.datastore) == (None, None)


def test_an_administrator_sees_everybodys(database, instance, clock):
    old, new = instance(updated=1.0), instance(project="other", updated=2.0)
    dead = instance(updated=3.0, deleted_at=clock())
    with database.reading() as tx:
        assert ids(instances.managed(tx, limit=9)) == [dead, new, old]
        assert ids(instances.managed(tx, limit=9, deleted=False)) == [new, old]
        assert ids(instances.managed(tx, limit=9, deleted=True)) == [dead]
        assert ids(instances.managed(tx, limit=1, offset=1)) == [new]
        assert ids(instances.managed(tx, limit=9, project="other")) == [new]


@pytest.mark.parametrize("task", list(Task))
def test_only_the_tables_moves_are_made(database, instance, task):
    for to in Task:
        id = instance(task=task)
        with database.transaction() as tx:
            held = instances.load(tx, id)
            if to in MOVES[task]:
                instances.move(tx, id, to)
                assert held.task == to
            else:
                with pytest.raises(errors.InstanceBusy, match=task):
                    instances.move(tx, id, to)
                assert held.task == task


def test_a_move_carries_columns_and_the_time(database, instance, clock):
    id = instance()
    clock.now += 60
    with database.transaction() as tx:
        instances.move(tx, id, Task.FAILED, fault="No valid host was found.")
    with database.reading() as tx:
        row = instances.load(tx, id)
    assert (row.fault, row.updated) == ("No valid host was found.", clock.now)


def test_a_deleted_instance_does_not_move(database, instance, clock):
    id = instance(deleted_at=clock())
    with database.transaction() as tx, pytest.raises(errors.InstanceNotFound):
        instances.move(tx, id, Task.REBOOTING)


def test_changes_are_seen_by_who_holds_the_row(database, instance, clock):
    id = instance()
    clock.now += 60
    with database.transaction() as tx:
        held = instances.load(tx, id)
        instances.changes(tx, id, name="renamed", deleted_at=epoch_now())
        assert (held.name, held.deleted_at, held.updated) == (
            "renamed",
            clock.now,
            clock.now,
        )


def test_a_task_is_moved_never_set(database, instance):
    id = instance()
    with database.transaction() as tx:
        with pytest.raises(errors.Internal):
            instances.changes(tx, id, task=Task.FAILED)
        with pytest.raises(errors.InstanceNotFound):
            instances.changes(tx, "nowhere", name="x")
