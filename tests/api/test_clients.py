# SPDX-License-Identifier: Apache-2.0
"""Shipping clients, unmodified: python-troveclient and openstacksdk over a socket."""

import socketserver
import threading
import typing
import wsgiref.simple_server
from collections.abc import Iterator

import pytest

from tests.api.world import DEMO, World

troveclient = pytest.importorskip("troveclient.v1.client")
token_endpoint = pytest.importorskip("keystoneauth1.token_endpoint")
sessions = pytest.importorskip("keystoneauth1.session")
exceptions = pytest.importorskip("troveclient.exceptions")


class _Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = False


class _Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, format: str, *args: typing.Any) -> None:
        """Quiet."""


@pytest.fixture
def url(world: World) -> Iterator[str]:
    """Where the world is served."""
    server = wsgiref.simple_server.make_server(
        "127.0.0.1", 0, world.application, _Server, _Quiet
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1.0/{DEMO}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def trove(url: str) -> typing.Any:
    """The library behind ``openstack database``."""
    auth = token_endpoint.Token(url, "member")
    return troveclient.Client(
        session=sessions.Session(auth), service_type="database", endpoint_override=url
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
        session=sessions.Session(token_endpoint.Token(url, "member")),
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
