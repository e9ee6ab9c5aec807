# SPDX-License-Identifier: Apache-2.0
"""Credentials, tokens, time-outs, versions, and clients lent to many threads."""

import threading

import pytest

from tests.unit.cloud.openstack.conftest import settings
from trove.cloud import protocol
from trove.cloud.openstack import OpenstackCloud
from trove.cloud.openstack.session import Access, Settings

VOLUME = {"volume": {"id": "v", "status": "available", "size": 1, "metadata": {}}}
SERVER = {"server": {"id": "s", "name": "db", "status": "ACTIVE", "flavor": {}}}


def test_nothing_is_asked_before_the_first_call():
    OpenstackCloud(Settings(auth_url="http://192.0.2.1/v3", deployment="d"))


def test_a_secret_is_not_shown():
    settings = Settings(
        auth_url="http://192.0.2.1/v3",
        deployment="d",
        password="hidden",
        application_credential_secret="hidden too",
    )
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize("name", ["", "a,b", "a/b", "x" * 44])
def test_a_deployment_must_fit_a_tag(name):
    with pytest.raises(ValueError):
        Settings(auth_url="http://192.0.2.1/v3", deployment=name)


def test_a_token_that_has_run_out_is_renewed_once(stub, cloud):
    stub.on("GET", "/volumes/v$", VOLUME, (401, {}), VOLUME)
    cloud.volumes.show("v")
    assert cloud.volumes.show("v").status == "available"
    assert stub.tokens == 2


def test_where_a_service_is_comes_of_the_catalogue(stub):
    access = Access(settings(stub))
    assert access.endpoint("image") == f"{stub.url}/image"
    with pytest.raises(protocol.Refused, match="has no no-such") as raised:
        access.endpoint("no-such")
    assert raised.value.status == 404
    access.close()


def test_credentials_that_are_not_taken_are_passing(stub, cloud):
    stub.on("GET", "/volumes/v$", (401, {}))
    with pytest.raises(protocol.Passing):
        cloud.volumes.show("v")
    assert stub.tokens == 2


def test_threads_share_the_token_and_not_the_clients(stub, cloud):
    met = threading.Barrier(3)

    def answer(request):
        met.wait(10)
        return VOLUME

    stub.on("GET", "/volumes/v$", answer)
    ends = []

    def show():
        ends.append(cloud.volumes.show("v"))

    threads = [threading.Thread(target=show) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert [volume.id for volume in ends] == ["v"] * 3
    assert stub.tokens == 1


@pytest.mark.parametrize(
    "newest, spoken", [("2.95", "2.79"), ("2.79", "2.79"), ("2.60", "2.60")]
)
def test_nova_is_spoken_to_as_new_as_both_know(stub, cloud, newest, spoken):
    stub.newest_compute = newest
    stub.on("GET", "/servers/s$", SERVER)
    cloud.compute.show("s")
    header = stub.asked("GET", "/servers/s$")[0].headers["OpenStack-API-Version"]
    assert header == f"compute {spoken}"


def test_a_nova_without_tags_at_create_is_refused(stub, cloud):
    stub.newest_compute = "2.51"
    with pytest.raises(protocol.Refused, match="too old"):
        cloud.compute.show("s")


def test_an_error_of_ours_is_not_taken_for_the_clouds(cloud):
    with pytest.raises(TypeError):
        cloud.compute.boot("a.server", protocol.Boot("db", "i", "1", (), None, 5))
