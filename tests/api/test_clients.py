# SPDX-License-Identifier: Apache-2.0
"""Shipping clients, unmodified: python-troveclient and openstacksdk over a socket."""

import contextlib
import pathlib
import socketserver
import threading
import typing
import wsgiref.simple_server
from collections.abc import Iterator

import pytest

from tests.api.world import ADMINS, DEMO, World
from tests.covered.recorder import LIBRARY, SDK
from trove.actions import parameters

troveclient = pytest.importorskip("troveclient.v1.client")
token_endpoint = pytest.importorskip("keystoneauth1.token_endpoint")
management = pytest.importorskip("troveclient.v1.management")
sessions = pytest.importorskip("keystoneauth1.session")
exceptions = pytest.importorskip("troveclient.exceptions")


class _Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = False


class _Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, format: str, *args: typing.Any) -> None:
        """Quiet."""


@contextlib.contextmanager
def served(application: typing.Any) -> Iterator[str]:
    """An application on a port of its own; its address, with the own project's path."""
    server = wsgiref.simple_server.make_server(
        "127.0.0.1", 0, application, _Server, _Quiet
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1.0/{DEMO}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def session(url: str, token: str, client: str = LIBRARY) -> typing.Any:
    """A session of a library, which says in its User-Agent whose it is."""
    auth = token_endpoint.Token(url, token)
    return sessions.Session(auth, app_name=client, app_version="0")


def administrator(url: str) -> typing.Any:
    """The library, in the hands of one of another project."""
    there = url.replace(DEMO, ADMINS)
    return troveclient.Client(
        session=session(there, "admin"),
        service_type="database",
        endpoint_override=there,
    )


@pytest.fixture
def url(world: World) -> Iterator[str]:
    """Where the world is served."""
    with served(world.application) as address:
        yield address


@pytest.fixture
def trove(url: str) -> typing.Any:
    """The library behind ``openstack database``."""
    return troveclient.Client(
        session=session(url, "member"), service_type="database", endpoint_override=url
    )


def test_a_life(world: World, trove: typing.Any) -> None:
    made = trove.instances.create(
        "db1",
        flavor_id="1",
        volume={"size": 2, "type": None},
        databases=[{"name": "d"}],
        users=[{"name": "u", "password": "p", "databases": [{"name": "d"}]}],
        datastore="mariadb",
        datastore_version="10.11",
        nics=[{"net-id": "net-1"}],
        access={"is_public": False},
    )
    assert (made.status, made.volume["size"]) == ("BUILD", 2)
    assert not hasattr(made, "configuration")
    world.finish(made.id)
    got = trove.instances.get(made.id)
    assert (got.status, got.operating_status, got.ip) == (
        "ACTIVE",
        "HEALTHY",
        ["10.1.0.7"],
    )
    assert [each.id for each in trove.instances.list()] == [made.id]
    trove.instances.restart(made.id)
    with pytest.raises(exceptions.UnprocessableEntity, match="not ready"):
        trove.instances.restart(made.id)
    world.finish(made.id)
    trove.instances.update(made.id, name="db2")
    trove.instances.update(made.id)
    assert trove.instances.get("db2").id == made.id
    trove.instances.delete(made.id)
    assert trove.instances.get(made.id).status == "SHUTDOWN"


def test_pages(world: World, trove: typing.Any) -> None:
    for n in range(3):
        world.created(name=f"db{n}")
    first = trove.instances.list(limit=2)
    assert len(first) == 2 and first.next
    second = trove.instances.list(limit=2, marker=first.next)
    assert len(second) == 1 and not second.next


def test_accounts(world: World, trove: typing.Any) -> None:
    """Everything of ``openstack database db``, ``user`` and ``root``."""
    id = world.active()
    odd = "100%25"
    trove.databases.create(id, [{"name": "shop"}, {"name": odd, "collate": None}])
    assert [each.name for each in trove.databases.list(id)] == [odd, "shop"]
    users = [{"name": "ann", "password": "p", "databases": [{"name": "shop"}]}]
    trove.users.create(id, [*users, {"name": "u@%", "password": "p", "host": "10.0.%"}])
    ann = trove.users.get(id, "ann", hostname="%")
    assert (ann.name, ann.host, ann.databases) == ("ann", "%", [{"name": "shop"}])
    trove.users.grant(id, "ann", [odd])
    trove.users.revoke(id, "ann", "shop", hostname="%")
    assert [each.name for each in trove.users.list_access(id, "ann")] == [odd]
    trove.users.update_attributes(id, "u@%", {"name": "eve"}, hostname="10.0.%")
    assert trove.users.get(id, "eve", hostname="10.0.%").name == "eve"
    trove.users.change_passwords(id, [{"name": "ann", "password": "new"}])
    assert world.desks.accounts[id].rows["ann", "%"].password == "new"
    trove.users.delete(id, "ann")
    with pytest.raises(exceptions.NotFound):
        trove.users.get(id, "ann")
    trove.databases.delete(id, "shop")
    assert not trove.root.is_root_enabled(id).rootEnabled
    name, password = trove.root.create(id)
    assert (name, password) == ("root", world.desks.accounts[id].root)
    assert trove.root.create_instance_root(id, "mine") == ("root", "mine")
    assert trove.root.is_root_enabled(id).rootEnabled
    trove.root.disable_instance_root(id)
    assert world.desks.accounts[id].root is None


def test_configuration_groups(world: World, trove: typing.Any, url: str) -> None:
    """Everything of ``openstack database configuration``."""
    id = world.active()
    groups = trove.configurations
    made = groups.create(
        "fast",
        '{"max_connections": 200}',
        description="for tests",
        datastore="mariadb",
        datastore_version="10.11",
    )
    assert (made.name, made.values) == ("fast", {"max_connections": 200})
    assert [(each.id, each.name) for each in groups.list()] == [(made.id, "fast")]
    trove.instances.update(id, configuration=made.id)
    world.finish(id)
    assert [each.id for each in groups.instances(made.id)] == [id]
    assert trove.instances.get(id).configuration["id"] == made.id
    assert groups.get(made.id).instance_count == 1
    trove.instances.update(id, remove_configuration=True)
    world.finish(id)
    groups.edit(made.id, '{"wait_timeout": 60}')
    assert groups.get(made.id).values == {"max_connections": 200, "wait_timeout": 60}
    groups.update(made.id, '{"wait_timeout": 61}', name="slow")
    assert (groups.get(made.id).name, groups.get(made.id).values) == (
        "slow",
        {"wait_timeout": 61},
    )
    with pytest.raises(exceptions.UnprocessableEntity, match="above"):
        groups.edit(made.id, '{"max_connections": 99999999}')
    assert trove.instances.configuration(id).configuration["max_connections"] == 64
    groups.delete(made.id)
    assert groups.list() == []
    _parameters(world, trove, url)


def _parameters(world: World, trove: typing.Any, url: str) -> None:
    version = world.versions["mariadb-10.11"]
    known = trove.configuration_parameters
    assert len(known.parameters("mariadb", "10.11")) > 30
    assert len(known.parameters_by_version(version)) > 30
    assert known.get_parameter("mariadb", "10.11", "wait_timeout").type == "integer"
    assert known.get_parameter_by_version(version, "wait_timeout").min == 1
    keeper = management.MgmtConfigurationParameters(administrator(url))
    assert len(keeper.list_all_parameter_by_version(version)) > 30
    keeper.delete(version, "wait_timeout")
    keeper.create(version, "wait_timeout", 0, "integer", "90", "30")
    keeper.modify(version, "wait_timeout", 0, "integer", 80, 30)
    rule = keeper.get_any_parameter_by_version(version, "wait_timeout")
    assert (rule.min_size, rule.max_size) == (30, 80)
    said = {"type": "string", "restart_required": False, "values": ["NEVER", "YES"]}
    with world.database.transaction() as tx:
        parameters.load(tx, version, {"updatable_views_with_limit": said})
    [one] = known.parameters("mariadb", "10.11")
    assert (one.name, one.values) == ("updatable_views_with_limit", ["NEVER", "YES"])


@pytest.mark.parametrize("names", [["100%", "100%25", "%40", "a&b=c", "u@%"]])
def test_pages_of_accounts(world: World, trove: typing.Any, names: list[str]) -> None:
    """The marker as troveclient takes it out of a link, and sends it back."""
    id = world.active()
    trove.databases.create(id, [{"name": name} for name in names])
    trove.users.create(id, [{"name": name, "password": "p"} for name in names])
    for manager in (trove.databases, trove.users):
        found, marker = [], None
        while len(found) < 9:
            page = manager.list(id, limit=1, marker=marker)
            found += [each.name for each in page]
            marker = page.next
            if marker is None:
                break
        assert sorted(found) == sorted(names)


def test_what_there_is(trove: typing.Any) -> None:
    assert [each.name for each in trove.datastores.list()] == ["mariadb", "postgresql"]
    version = trove.datastore_versions.get("mariadb", "10.11")
    assert version.version == "10.11.6"
    assert [each.str_id for each in trove.flavors.list()] == ["1", "2", "m1.big"]
    limits = trove.limits.list()
    assert limits[0].verb == "ABSOLUTE" and limits[0].max_instances == 10
    quotas = trove.quota.show(DEMO)
    assert [each.resource for each in quotas][:2] == ["instances", "ram"]
    with pytest.raises(exceptions.NotFound):
        trove.instances.get("nothing")


def test_openstacksdk(world: World, url: str) -> None:
    connection = pytest.importorskip("openstack.connection")
    cloud = connection.Connection(
        session=session(url, "member", SDK),
        database_endpoint_override=url,
        database_api_version="1.0",
        region_name="RegionOne",
    )
    database = cloud.database
    made = database.create_instance(name="a", flavor="1", volume={"size": 1})
    world.finish(made.id)
    assert [each.id for each in database.instances()] == [made.id]
    assert database.find_instance("a", ignore_missing=False).id == made.id
    assert database.get_instance(made.id).status == "ACTIVE"
    made.restart(database)
    world.finish(made.id)
    database.update_instance(made.id, name="b")
    database.delete_instance(made.id)
    assert [each.name for each in database.flavors()] == ["tiny", "small", "big"]


def test_accounts_by_openstacksdk(world: World, url: str) -> None:
    connection = pytest.importorskip("openstack.connection")
    cloud = connection.Connection(
        session=session(url, "member", SDK),
        database_endpoint_override=url,
        database_api_version="1.0",
        region_name="RegionOne",
    )
    database = cloud.database
    instance = database.get_instance(world.active())
    database.create_database(instance, name="shop")
    database.create_user(instance, name="ann", password="p")
    assert [each.name for each in database.databases(instance)] == ["shop"]
    assert [each.name for each in database.users(instance)] == ["ann"]
    for name in ("100%", "100%25", "a&b"):
        database.create_database(instance, name=name)
    paged = [each.name for each in database.databases(instance, limit=1)]
    assert paged == ["100%", "100%25", "a&b", "shop"]
    assert not instance.is_root_enabled(database)
    root = instance.enable_root_user(database)
    assert root["password"] == world.desks.accounts[instance.id].root
    database.delete_user("ann", instance)
    database.delete_database("shop", instance)
    assert "shop" not in world.desks.accounts[instance.id].names


def test_an_administrator_keeps_versions(world: World, url: str) -> None:
    """What ``openstack datastore version create|set|delete`` and others call."""
    keeper = administrator(url)
    versions = keeper.mgmt_ds_versions
    versions.create(
        "11.8",
        "maria-next",
        "mariadb",
        None,
        image_tags=["trove"],
        default="true",
        version="11.8.2",
    )
    (made,) = [v for v in versions.list() if v.datastore_name == "maria-next"]
    assert (made.version, made.active, made.default) == ("11.8.2", True, True)
    versions.edit(made.id, active="false", image_tags=["trove", "next"])
    assert versions.get(made.id).image_tags == ["trove", "next"]
    shown = keeper.datastores.get("maria-next")
    assert [version["active"] for version in shown.versions] == [False]
    with pytest.raises(exceptions.BadRequest):
        keeper.datastores.delete("maria-next")
    versions.delete(made.id)
    keeper.datastores.delete("maria-next")
    with pytest.raises(exceptions.NotFound):
        keeper.datastores.get("maria-next")


def test_another_version_and_what_cannot_be_had(
    world: World, trove: typing.Any, url: str
) -> None:
    keeper = administrator(url)
    keeper.mgmt_ds_versions.create(
        "10.12", "mariadb", "mariadb", None, image_tags=["trove"], version="10.12.1"
    )
    id = world.active()
    for deed in (
        trove.instances.promote_to_replica_source,
        trove.instances.eject_replica_source,
    ):
        with pytest.raises(exceptions.ClientException, match="not supported yet"):
            deed(id)
    keeper.instances.reset_status(id)
    trove.instances.upgrade(id, "10.12")
    assert trove.instances.get(id).status == "UPGRADE"
    keeper.quota.update(DEMO, {"instances": 7})
    assert {q.resource: q.limit for q in trove.quota.show(DEMO)}["instances"] == 7


def test_backups(world: World, trove: typing.Any) -> None:
    """Everything of ``openstack database backup``, and an instance made of one."""
    id = world.active()
    full = trove.backups.create("full", id, description="all of it")
    assert (full.status, full.instance_id, full.size) == ("NEW", id, None)
    assert trove.instances.get(id).status == "BACKUP"
    with pytest.raises(exceptions.UnprocessableEntity, match="not ready"):
        trove.backups.create("another", id)
    world.back_up(full.id)
    more = trove.backups.create("more", id, incremental=True, swift_container="c")
    assert more.parent_id == full.id
    world.clock += 1
    world.back_up(more.id)
    got = trove.backups.get(more.id)
    assert (got.status, got.size, got.locationRef) == (
        "COMPLETED",
        0.5,
        f"memory:{more.id}",
    )
    assert got.datastore["type"] == "mariadb"
    listed = trove.backups.list(limit=1)
    assert ([each.id for each in listed], listed.next) == ([more.id], "1")
    last = trove.backups.list(limit=1, marker=listed.next)
    assert ([each.id for each in last], last.next) == ([full.id], None)
    assert [x.id for x in trove.backups.list(datastore="postgresql")] == []
    assert len(trove.backups.list(instance_id=id)) == 2
    assert [x.id for x in trove.instances.backups(id)] == [more.id, full.id]
    made = trove.instances.create(
        "again",
        flavor_id="1",
        volume={"size": 1, "type": None},
        restorePoint={"backupRef": more.id},
    )
    assert made.status == "BUILD"
    with pytest.raises(exceptions.UnprocessableEntity, match="being made of it"):
        trove.backups.delete(full.id)
    world.finish(made.id)
    trove.backups.delete(full.id)
    assert {x.status for x in trove.backups.list()} == {"DELETING"}
    for gone in (trove.backups.get, trove.backups.delete):
        with pytest.raises(exceptions.NotFound):
            gone("nothing")


def test_backup_strategies(world: World, trove: typing.Any) -> None:
    id = world.active()
    made = trove.backup_strategies.create(swift_container="all")
    assert (made.project_id, made.instance_id, made.backend) == (DEMO, "", "swift")
    trove.backup_strategies.create(instance_id=id, swift_container="own")
    kept = {x.instance_id: x.swift_container for x in trove.backup_strategies.list()}
    assert kept == {"": "all", id: "own"}
    (own,) = trove.backup_strategies.list(instance_id=id)
    assert own.swift_container == "own"
    trove.backup_strategies.delete()
    trove.backup_strategies.delete(instance_id=id)
    assert trove.backup_strategies.list() == []


def test_an_administrator_sees_all_instances(world: World, url: str) -> None:
    """The management calls of the library."""
    keeper = administrator(url)
    id = world.active()
    (seen,) = keeper.mgmt_instances.index(deleted=False)
    assert (seen.id, seen.tenant_id, seen.service_status) == (id, DEMO, "HEALTHY")
    assert keeper.mgmt_instances.index(deleted=True) == []
    assert keeper.mgmt_instances.show(id).task_description.startswith("No tasks")
    keeper.mgmt_instances.reset_task_status(id)


def test_logs(world: World, trove: typing.Any) -> None:
    id = world.active()
    listed = {log.name: log for log in trove.instances.log_list(id)}
    assert set(listed) == {"general", "slow_query"}
    assert (listed["general"].type, listed["general"].status) == ("USER", "Disabled")
    assert trove.instances.log_action(id, "general", enable=True).status == "Enabled"
    assert trove.instances.log_show(id, "general").container == "None"
    with pytest.raises(exceptions.ClientException, match="not be found|cannot"):
        trove.instances.log_show(id, "nonsense")


def test_there_are_no_clusters(trove: typing.Any) -> None:
    assert list(trove.clusters.list()) == []
    with pytest.raises(exceptions.ClientException, match="Clusters not supported"):
        trove.clusters.create(
            "c",
            "mariadb",
            "10.11",
            instances=[{"flavorRef": "1", "volume": {"size": 1}}],
        )
    for deed in (
        lambda: trove.clusters.get("c"),
        lambda: trove.clusters.delete("c"),
        lambda: trove.clusters.grow("c", [{"flavorRef": "1"}]),
    ):
        with pytest.raises(exceptions.NotFound):
            deed()


def test_modules(world: World, trove: typing.Any, tmp_path: typing.Any) -> None:
    made = trove.modules.create(
        "hello",
        "ping",
        b"message = Hello",
        description="for tests",
        datastore="mariadb",
        datastore_version="10.11",
        live_update=True,
        apply_order=3,
    )
    assert (made.type, made.datastore_version, made.live_update) == (
        "ping",
        "10.11",
        True,
    )
    assert [each.id for each in trove.modules.list(datastore="mariadb")] == [made.id]
    assert trove.modules.list(datastore="postgresql") == []
    changed = trove.modules.update(
        made, name="hi", module_type="ping", all_datastores=True, full_access=None
    )
    assert (changed.name, changed.datastore) == ("hi", "all")
    assert trove.modules.get(made.id).instance_count == 0
    with pytest.raises(exceptions.Forbidden):
        trove.modules.update(made, auto_apply=True)

    id = world.active(modules=[{"id": made.id}])
    (had,) = trove.instances.modules(id)
    assert (had.id, had.status) == (made.id, "WAITING")
    assert [each.id for each in trove.modules.instances(made)] == [id]
    (count,) = trove.modules.instances(made, count_only=True, include_clustered=True)
    assert count.instance_count == 1
    trove.modules.reapply(made, batch_size=2, delay=1, force=True)
    (asked,) = trove.instances.module_query(id)
    assert asked.status == "WAITING"
    (applied,) = trove.instances.module_apply(id, [made])
    assert applied.id == made.id
    world.finish(id)
    with pytest.raises(exceptions.Forbidden, match="applied"):
        trove.modules.delete(made)
    trove.instances.module_remove(id, made)


def test_a_module_that_was_applied_is_saved(
    world: World, trove: typing.Any, tmp_path: typing.Any
) -> None:
    contents = b"message = Hello"
    made = trove.modules.create("hello", "ping", contents)
    id = world.active(modules=[{"id": made.id}])
    world.applied(id, made.id)
    files = trove.instances.module_retrieve(id, directory=str(tmp_path))
    assert pathlib.Path(files["hello"]).read_bytes() == contents
