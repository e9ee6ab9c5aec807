# SPDX-License-Identifier: Apache-2.0
"""What a create, a delete and a reset leave in the database."""

import concurrent.futures
import typing

import pytest
import sqlalchemy as sa

from tests.api.world import ADMINS, DEMO, World
from trove import errors
from trove.actions import changes, deletion, instances
from trove.actions.begin import Token
from trove.actions.orders import Order
from trove.context import Context
from trove.db.queries import quotas
from trove.db.tables import Event, Instance, Operation
from trove.model import operations
from trove.model.operations import NewDatabase, NewUser
from trove.model.states import OperationState, Task

MEMBER = Context(project=DEMO, user="u", roles=("member",))
ADMIN = Context(project=ADMINS, user="a", roles=("admin",), is_admin=True)


def order(**about: typing.Any) -> Order:
    return Order(**{"name": "db", "flavor": "1", "volume_size": 2, **about})


def row(world: World, id: str) -> Instance:
    with world.database.reading() as tx:
        found = tx.get(Instance, id)
        assert found is not None
        return found


def events(world: World, id: str) -> list[str]:
    with world.database.reading() as tx:
        return list(
            tx.scalars(
                sa.select(Event.kind).where(Event.object_id == id).order_by(Event.seq)
            )
        )


def reserved(world: World) -> dict[str, int]:
    with world.database.reading() as tx:
        return {
            str(each["resource"]): int(each["reserved"])
            for each in quotas.rows(tx, DEMO, {})
        }


def test_a_create_is_one_transaction_and_a_ring(world: World) -> None:
    wanted = order(
        databases=(NewDatabase("d"),),
        users=(NewUser("u", "secret", databases=("d",)),),
    )
    seen = instances.create(world.services, MEMBER, DEMO, wanted)
    id = seen.instance.id
    made = row(world, id)
    assert (made.task, made.project, made.ram) == (Task.BUILDING, DEMO, 512)
    assert 0 < made.server_number < 2**32
    (operation,) = world.operations(id)
    assert operation.kind == operations.CREATE
    assert operation.state == OperationState.PENDING
    assert operation.request_id == MEMBER.request_id
    input = operations.CreateInstance.from_dict(operation.input)
    assert input.cost == {"instances": 1, "ram": 512, "volumes": 2}
    assert input.users == wanted.users
    assert (input.datastore, input.version) == ("mariadb", "10.11.6")
    assert reserved(world) == {"instances": 1, "ram": 512, "volumes": 2, "backups": 0}
    assert events(world, id) == ["instance.create.accepted"]
    assert world.rung == [operation.id]


def test_no_password_is_readable_in_the_database(
    world: World, tmp_path: typing.Any
) -> None:
    wanted = order(users=(NewUser("u", "hunter2-unreadable"),))
    instances.create(world.services, MEMBER, DEMO, wanted)
    for file in tmp_path.iterdir():
        assert b"hunter2-unreadable" not in file.read_bytes()


def test_a_refused_create_leaves_nothing(world: World) -> None:
    world.services.settings = type(world.services.settings)(
        default_datastore="mariadb", quotas={"instances": 5, "volumes": 1}
    )
    with pytest.raises(errors.QuotaExceeded, match="volumes"):
        instances.create(world.services, MEMBER, DEMO, order())
    with world.database.reading() as tx:
        assert tx.scalar(sa.select(sa.func.count()).select_from(Instance)) == 0
        assert tx.scalar(sa.select(sa.func.count()).select_from(Operation)) == 0
    assert set(reserved(world).values()) == {0}
    assert world.rung == []


def test_a_deaf_taskmanager_loses_nothing(world: World) -> None:
    def deaf(operation: str) -> None:
        raise errors.Unavailable(what="the broker")

    services = type(world.services)(
        world.database, world.cloud, deaf, world.services.settings
    )
    seen = instances.create(services, MEMBER, DEMO, order())
    assert [o.state for o in world.operations(seen.instance.id)] == ["pending"]


def test_twins_with_one_key_are_one_instance(world: World) -> None:
    token = Token("k", ["instances", {"a": 1}])

    def once(_: int) -> str:
        return instances.create(
            world.services, MEMBER, DEMO, order(), token
        ).instance.id

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        made = set(pool.map(once, range(8)))
    assert len(made) == 1
    assert reserved(world)["instances"] == 1


def test_a_key_is_the_projects_own(world: World) -> None:
    token = Token("k", ["x"])
    first = instances.create(world.services, MEMBER, DEMO, order(), token)
    other = Context(project="other000", user="o", roles=("member",))
    second = instances.create(world.services, other, "other000", order(), token)
    assert first.instance.id != second.instance.id


def test_a_replay_is_answered_after_the_instance_is_gone(world: World) -> None:
    token = Token("k", ["x"])
    first = instances.create(world.services, MEMBER, DEMO, order(), token)
    world.change(first.instance.id, deleted_at=1.0)
    again = instances.create(world.services, MEMBER, DEMO, order(), token)
    assert again.instance.id == first.instance.id


def test_many_creates_at_once_never_pass_the_quota(world: World) -> None:
    world.services.settings = type(world.services.settings)(
        default_datastore="mariadb", quotas={"instances": 3}
    )

    def one(_: int) -> bool:
        try:
            instances.create(world.services, MEMBER, DEMO, order())
        except errors.QuotaExceeded:
            return False
        return True

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(one, range(12))) == 3
    assert reserved(world)["instances"] == 3


def test_a_reset_cancels_what_is_under_way(world: World) -> None:
    id = world.active()
    changes.restart(world.services, MEMBER, id, DEMO)
    instances.reset_status(world.services, ADMIN, id, None)
    (restart,) = [o for o in world.operations(id) if o.kind == operations.RESTART]
    assert restart.cancel
    assert "instance.reset" in events(world, id)


def test_a_reset_frees_what_nothing_holds(world: World) -> None:
    id = world.active()
    world.change(id, task=Task.FAILED)
    instances.reset_status(world.services, ADMIN, id, None)
    assert row(world, id).task == Task.NONE


def test_a_reset_gives_a_failed_create_nothing(world: World) -> None:
    id = world.active()
    world.change(id, task=Task.FAILED, was_active=False)
    instances.reset_status(world.services, ADMIN, id, None)
    assert row(world, id).task == Task.FAILED


def test_a_reset_never_stops_a_delete(world: World) -> None:
    id = world.active()
    deletion.delete(world.services, MEMBER, id, DEMO, deletion.NOW)
    instances.reset_status(world.services, ADMIN, id, None)
    (delete,) = [o for o in world.operations(id) if o.kind == operations.DELETE]
    assert not delete.cancel
    assert row(world, id).task == Task.DELETING


def test_without_an_image_nothing_is_made(world: World) -> None:
    world.cloud.world.images.clear()
    with pytest.raises(errors.Invalid, match="no image"):
        instances.create(world.services, MEMBER, DEMO, order())


def test_a_rename_tells_of_itself_once(world: World) -> None:
    id = world.active()
    instances.rename(world.services, MEMBER, id, DEMO, "other")
    instances.rename(world.services, MEMBER, id, DEMO, "other")
    assert row(world, id).name == "other"
    assert events(world, id).count("instance.renamed") == 1
