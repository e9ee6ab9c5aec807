# SPDX-License-Identifier: Apache-2.0
"""What is asked of Nova, and what its answers become."""

import base64

import pytest

from trove import errors
from trove.cloud import protocol
from trove.cloud.openstack import OpenstackCloud

from .conftest import settings

TAGS = ["trove-key=a.server", "trove-deployment=d1"]
ORDER = protocol.Boot("my db", "image-1", "2", ("p1",), "v1", "#cloud-config\n{}")
SERVER = {
    "id": "s1",
    "name": "my db",
    "status": "ACTIVE",
    "created": "2026-01-02T00:00:00Z",
    "tags": TAGS,
    "flavor": {"original_name": "m1.small", "ram": 1024},
    "os-extended-volumes:volumes_attached": [{"id": "v1"}],
    "addresses": {"guests": [{"addr": "10.0.0.4", "version": 4}]},
    "hostId": "h1",
}
FLAVOR = {"id": "2", "name": "m1.small", "ram": 1024, "vcpus": 1, "disk": 10}


def test_an_order_says_all_at_once(stub, cloud):
    stub.on("POST", "/servers$", (202, {"server": {"id": "s1"}}))
    server = cloud.compute.boot("a.server", ORDER)
    assert (server.id, server.key, server.status) == ("s1", "a.server", "BUILD")
    assert (server.volumes, server.flavor) == (("v1",), "2")
    asked = stub.asked("POST", "/servers$")[0].body["server"]
    assert sorted(asked["tags"]) == sorted(TAGS)
    assert all(len(tag) <= 60 for tag in asked["tags"])
    assert asked["networks"] == [{"port": "p1"}]
    assert asked["config_drive"] is True
    assert base64.b64decode(asked["user_data"]).decode() == ORDER.user_data
    root, data = asked["block_device_mapping_v2"]
    assert (root["source_type"], root["boot_index"]) == ("image", 0)
    assert (data["uuid"], data["boot_index"]) == ("v1", -1)
    assert data["delete_on_termination"] is False
    assert len(stub.asked("GET", "/servers")) == 0


@pytest.fixture
def rooted(stub):
    """A cloud whose servers' roots are volumes."""
    made = OpenstackCloud(settings(stub, root_volume=4, root_volume_type="fast"))
    yield made
    made.close()


def test_a_root_may_be_a_volume_that_goes_with_its_server(stub, rooted):
    stub.on("POST", "/servers$", (202, {"server": {"id": "s1"}}))
    rooted.compute.boot("a.server", ORDER)
    asked = stub.asked("POST", "/servers$")[0].body["server"]
    root, data = asked["block_device_mapping_v2"]
    assert root == {
        "uuid": ORDER.image,
        "source_type": "image",
        "destination_type": "volume",
        "boot_index": 0,
        "volume_size": 4,
        "volume_type": "fast",
        "delete_on_termination": True,
    }
    assert (data["uuid"], data["delete_on_termination"]) == ("v1", False)
    assert not asked["imageRef"] and asked["metadata"] == {"trove-image": ORDER.image}


def test_the_image_of_such_a_root_is_known_and_built_anew(stub, rooted):
    told = {"trove-image": "i2", "trove-rebuild": "m"}
    seen = {**SERVER, "image": "", "metadata": told}
    stub.on("GET", "/servers/s1$", {"server": seen})
    stub.on("GET", "/flavors/detail$", {"flavors": [FLAVOR]})
    stub.on("POST", "/servers/s1/action$", (202, {"server": seen}))
    assert rooted.compute.show("s1").image == "i2"
    rooted.compute.rebuild("s1", "i3", "#cloud-config", "m2")
    [asked] = stub.asked("POST", "/servers/s1/action$")
    assert asked.body["rebuild"]["imageRef"] == "i3"
    meta = {"trove-image": "i3", "trove-rebuild": "m2"}
    assert asked.body["rebuild"]["metadata"] == meta
    version = asked.headers["OpenStack-API-Version"]
    assert version == "compute 2.93", "older ones refuse it"


def test_a_server_group_and_a_zone_are_asked_for(stub, cloud):
    stub.on("POST", "/servers$", (202, {"server": {"id": "s1"}}))
    order = protocol.Boot("", "i", "2", (), None, "", "az1", "group-1")
    cloud.compute.boot("a.server", order)
    body = stub.asked("POST", "/servers$")[0].body
    assert body["os:scheduler_hints"] == {"group": "group-1"}
    assert body["server"]["availability_zone"] == "az1"
    assert body["server"]["name"] == "a.server"
    assert body["server"]["networks"] == "none"


@pytest.mark.parametrize(
    "name, told",
    [(" my\tdb\n", "mydb"), ("x" * 300, "x" * 255), ("\u200b", "a.server")],
)
def test_a_name_that_nova_would_not_take_is_made_fit(stub, cloud, name, told):
    stub.on("POST", "/servers$", (202, {"server": {"id": "s1"}}))
    cloud.compute.boot("a.server", protocol.Boot(name, "i", "2", (), None, ""))
    assert stub.asked("POST", "/servers$")[0].body["server"]["name"] == told


def test_a_server_is_found_by_its_tags_and_no_other(stub, cloud):
    another = {**SERVER, "id": "s2", "tags": ["trove-key=a.server"]}
    older = {**SERVER, "id": "s0", "created": "2026-01-01T00:00:00Z"}
    stub.on("GET", "/servers/detail$", {"servers": [SERVER, another, older]}, NONE)
    stub.on("GET", "/flavors/detail$", {"flavors": [FLAVOR]})
    assert [s.id for s in cloud.compute.find("a.server")] == ["s0", "s1"]
    query = stub.asked("GET", "/servers/detail$")[0].query
    assert sorted(query["tags"][0].split(",")) == sorted(TAGS)


NONE = {"servers": []}


def test_owned_servers_are_read_to_the_last_page(stub, cloud):
    pages = [
        {"servers": [{**SERVER, "id": f"s{page}-{n}"} for n in range(3)]}
        for page in range(4)
    ]
    stub.on("GET", "/servers/detail$", *pages, NONE)
    stub.on("GET", "/flavors/detail$", {"flavors": [FLAVOR]})
    assert len(cloud.compute.owned()) == 12
    markers = [r.query.get("marker") for r in stub.asked("GET", "/servers/detail$")]
    assert markers == [None, ["s0-2"], ["s1-2"], ["s2-2"], ["s3-2"]]


def test_a_server_that_is_on_two_pages_is_one(stub, cloud):
    """Nova tells of one that it builds out of two databases (seen on a real one)."""
    pages = [
        {"servers": [SERVER, {**SERVER, "id": "s2", "status": "BUILD"}]},
        {"servers": [{**SERVER, "id": "s2", "status": "ACTIVE"}]},
    ]
    stub.on("GET", "/servers/detail$", *pages, NONE)
    stub.on("GET", "/flavors/detail$", {"flavors": [FLAVOR]})
    found = [(server.id, server.status) for server in cloud.compute.owned()]
    assert found == [("s1", "ACTIVE"), ("s2", "ACTIVE")]


def test_a_server_is_shown_whole(stub, cloud):
    fault = {"message": "No valid host was found."}
    broken = {**SERVER, "status": "ERROR", "fault": fault}
    stub.on("GET", "/servers/s1$", {"server": broken})
    stub.on("GET", "/flavors/detail$", {"flavors": [FLAVOR]})
    assert cloud.compute.show("s1") == protocol.Server(
        "s1",
        "a.server",
        "my db",
        "ERROR",
        flavor="2",
        fault="No valid host was found.",
        volumes=("v1",),
        addresses=("10.0.0.4",),
        host="h1",
    )


@pytest.mark.parametrize(
    "said, seen",
    [("HARD_REBOOT", "REBOOT"), ("PAUSED", "UNKNOWN"), ("SHUTOFF", "SHUTOFF")],
)
def test_states_are_the_protocols(stub, cloud, said, seen):
    server = {**SERVER, "status": said, "flavor": {"id": "2"}, "tags": []}
    stub.on("GET", "/servers/s1$", {"server": server})
    assert cloud.compute.show("s1").status == seen


def test_flavors_are_read_to_the_last_page(stub, cloud):
    first = [{**FLAVOR, "id": f"f{n}"} for n in range(1000)]
    stub.on("GET", "/flavors/detail$", {"flavors": first}, {"flavors": [FLAVOR]})
    assert len(cloud.compute.flavors()) == 1001
    assert stub.asked("GET", "/flavors/detail$")[1].query["marker"] == ["f999"]


def test_a_flavor_is_shown_or_not_found(stub, cloud):
    stub.on("GET", "/flavors/2$", {"flavor": FLAVOR})
    assert cloud.compute.flavor("2") == protocol.Flavor("2", "m1.small", 1024, 1, 10)
    with pytest.raises(errors.FlavorNotFound):
        cloud.compute.flavor("3")


def test_to_stop_what_is_stopped_is_success(stub, cloud):
    stub.on("POST", "/servers/s1/action$", (409, {"conflictingRequest": {}}))
    stopped = {**SERVER, "status": "SHUTOFF", "flavor": {"id": "2"}}
    stub.on("GET", "/servers/s1$", {"server": stopped})
    cloud.compute.stop("s1")
    with pytest.raises(protocol.CloudConflict):
        cloud.compute.start("s1")


@pytest.mark.parametrize("hard, kind", [(False, "SOFT"), (True, "HARD")])
def test_a_reboot_and_the_console(stub, cloud, hard, kind):
    stub.on("POST", "/servers/s1/action$", (202, None), {"output": "login:"})
    cloud.compute.reboot("s1", hard=hard)
    assert cloud.compute.console("s1", 5) == "login:"
    reboot, console = [r.body for r in stub.asked("POST", "/servers/s1/action$")]
    assert reboot == {"reboot": {"type": kind}}
    assert console == {"os-getConsoleOutput": {"length": 5}}


def test_a_volume_that_cannot_come_or_go_yet_is_a_conflict(stub, cloud):
    where = "/servers/s1/os-volume_attachments"
    stub.on("POST", where, (400, {"badRequest": {"message": "status must be"}}))
    stub.on("DELETE", where, (400, {"badRequest": {"message": "status must be"}}))
    for change in (cloud.compute.attach, cloud.compute.detach):
        with pytest.raises(protocol.CloudConflict):
            change("s1", "v1")
    stub.on("DELETE", f"{where}/v1$", (404, {"itemNotFound": {"message": "gone"}}))
    cloud.compute.detach("s1", "v1")
    answer = {"volumeAttachment": {"volumeId": "v1", "serverId": "s1"}}
    stub.on("POST", where, answer)
    cloud.compute.attach("s1", "v1")
    assert stub.asked("POST", where)[-1].body["volumeAttachment"]["volumeId"] == "v1"


@pytest.mark.parametrize("deed", ["confirm", "revert"])
def test_a_size_that_is_being_confirmed_is_looked_at_again(stub, cloud, deed):
    """A real Nova's words while the first confirmation is under way."""
    said = {"badRequest": {"code": 400, "message": "Instance has not been resized."}}
    stub.on("POST", "/compute/v2.1/servers/x/action$", (400, said))
    with pytest.raises(protocol.CloudConflict, match="has not been resized"):
        getattr(cloud.compute, deed)("x")
