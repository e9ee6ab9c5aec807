# SPDX-License-Identifier: Apache-2.0
"""What is asked of Cinder, and what its answers become."""

import pytest

from trove import errors
from trove.cloud import protocol

MARKS = {"trove_key": "a.volume", "trove_deployment": "d1"}
VOLUME = {
    "id": "v1",
    "name": "a.volume",
    "status": "available",
    "size": 2,
    "volume_type": "fast",
    "created_at": "2026-01-02T00:00:00.000000",
    "metadata": MARKS,
    "attachments": [],
}
REFUSED = (400, {"badRequest": {"message": "Invalid volume: bad status", "code": 400}})


def test_a_volume_carries_its_marks_from_the_start(stub, cloud):
    stub.on("POST", "/volumes$", (202, {"volume": {**VOLUME, "status": "creating"}}))
    volume = cloud.volumes.create("a.volume", 2, "fast")
    assert volume == protocol.Volume("v1", "a.volume", "creating", 2, "fast")
    asked = stub.asked("POST", "/volumes$")[0].body["volume"]
    assert (asked["name"], asked["metadata"]) == ("a.volume", MARKS)
    assert (asked["size"], asked["volume_type"]) == (2, "fast")


def test_a_volume_is_found_by_its_marks_and_no_other(stub, cloud):
    another = {**VOLUME, "id": "v2", "metadata": {"trove_key": "a.volume"}}
    older = {**VOLUME, "id": "v0", "created_at": "2026-01-01T00:00:00.000000"}
    stub.on("GET", "/volumes/detail$", {"volumes": [VOLUME, another, older]})
    assert [v.id for v in cloud.volumes.find("a.volume")] == ["v0", "v1"]
    query = stub.asked("GET", "/volumes/detail$")[0].query["metadata"][0]
    assert "a.volume" in query and "d1" in query


def test_owned_volumes_are_read_to_the_last_page(stub, cloud):
    def page(request):
        number = int(request.query.get("marker", ["0"])[0])
        volumes = [{**VOLUME, "id": f"v{number}-{n}"} for n in range(3)]
        link = f"{stub.url}/volume/v3/p1/volumes/detail?marker={number + 1}"
        links = [{"rel": "next", "href": link}] if number < 3 else []
        return {"volumes": volumes, "volumes_links": links}

    stub.on("GET", "/volumes/detail$", page)
    assert len(cloud.volumes.owned()) == 12


@pytest.mark.parametrize(
    "said, seen",
    [
        ("attaching", "in-use"),
        ("reserved", "in-use"),
        ("error_deleting", "error"),
        ("extending", "extending"),
        ("something new", "in-use"),
    ],
)
def test_states_are_the_protocols(stub, cloud, said, seen):
    stub.on("GET", "/volumes/v1$", {"volume": {**VOLUME, "status": said}})
    assert cloud.volumes.show("v1").status == seen


def test_who_holds_a_volume_is_told(stub, cloud):
    held = {**VOLUME, "status": "in-use", "attachments": [{"server_id": "s1"}]}
    stub.on("GET", "/volumes/v1$", {"volume": held})
    assert cloud.volumes.show("v1").servers == ("s1",)


@pytest.mark.parametrize("status, error", [("in-use", True), ("deleting", False)])
def test_cinders_400_on_a_delete_is_a_conflict_or_success(stub, cloud, status, error):
    stub.on("DELETE", "/volumes/v1$", REFUSED)
    stub.on("GET", "/volumes/v1$", {"volume": {**VOLUME, "status": status}})
    stub.on("GET", "/attachments", {"attachments": []})
    if error:
        with pytest.raises(protocol.CloudConflict):
            cloud.volumes.delete("v1")
    else:
        cloud.volumes.delete("v1")


@pytest.mark.parametrize(
    ("held", "server", "let_go"),
    [
        ("reserved", (404, {"itemNotFound": {"message": "no s1", "code": 404}}), True),
        ("reserved", {"server": {"id": "s1", "status": "BUILD"}}, False),
        ("attached", (404, {"itemNotFound": {"message": "no s1", "code": 404}}), False),
        ("reserved", (500, {"computeFault": {"message": "x", "code": 500}}), False),
    ],
)
def test_only_what_is_reserved_for_nobody_is_let_go(stub, cloud, held, server, let_go):
    """A delete that finds it so is a conflict all the same, and is asked again."""
    stub.on("DELETE", "/volumes/v1$", REFUSED)
    stub.on("GET", "/volumes/v1$", {"volume": {**VOLUME, "status": "reserved"}})
    attachment = {"id": "a1", "instance": "s1", "volume_id": "v1", "status": held}
    stub.on("GET", "/attachments", {"attachments": [attachment]})
    stub.on("GET", "/servers/s1$", server)
    stub.on("DELETE", "/attachments/a1$", {"attachments": []})
    with pytest.raises(errors.Upstream):
        cloud.volumes.delete("v1")
    assert bool(stub.asked("DELETE", "/attachments/a1$")) is let_go


def test_a_cloud_that_lets_nobody_look_at_attachments_has_conflicts(stub, cloud):
    stub.on("DELETE", "/volumes/v1$", REFUSED)
    stub.on("GET", "/volumes/v1$", {"volume": {**VOLUME, "status": "in-use"}})
    stub.on("GET", "/attachments", (403, {"forbidden": {"message": "x", "code": 403}}))
    with pytest.raises(protocol.CloudConflict):
        cloud.volumes.delete("v1")


def test_a_volume_grows_in_use(stub, cloud):
    stub.on("GET", "/volumes/v1$", {"volume": {**VOLUME, "status": "in-use"}})
    stub.on("POST", "/volumes/v1/action$", (202, None), REFUSED)
    cloud.volumes.extend("v1", 3)
    asked = stub.asked("POST", "/action$")[0]
    assert asked.body == {"os-extend": {"new_size": 3}}
    assert asked.headers["OpenStack-API-Version"] == "volume 3.42"
    with pytest.raises(protocol.CloudConflict):
        cloud.volumes.extend("v1", 4)


def test_a_volume_that_has_the_size_is_left_alone(stub, cloud):
    stub.on("GET", "/volumes/v1$", {"volume": VOLUME})
    cloud.volumes.extend("v1", 2)
    with pytest.raises(protocol.Refused, match="shrink"):
        cloud.volumes.extend("v1", 1)
    assert stub.asked("POST", "/action$") == []


@pytest.mark.parametrize("retained", [True, False])
def test_one_that_is_an_instances_again_has_its_name_and_no_mark(stub, cloud, retained):
    marks = {**MARKS, "trove_retained": "why"} if retained else MARKS
    stub.on("GET", "/volumes/v1$", {"volume": {**VOLUME, "metadata": marks}})
    stub.on("GET", "/volumes/v1/metadata$", {"metadata": marks})
    stub.on("PUT", "/volumes/v1/metadata$", {"metadata": MARKS})
    stub.on("PUT", "/volumes/v1$", {"volume": VOLUME})
    cloud.volumes.resume("v1")
    left = [one.body["metadata"] for one in stub.asked("PUT", "/metadata$")]
    assert left == ([MARKS] if retained else [])
    assert stub.asked("PUT", "/volumes/v1$")[0].body["volume"] == {"name": "a.volume"}


def test_a_retained_volume_says_why_and_whose(stub, cloud):
    stub.on("GET", "/volumes/v1$", {"volume": VOLUME})
    stub.on("POST", "/volumes/v1/metadata$", {"metadata": {}})
    stub.on("PUT", "/volumes/v1$", {"volume": VOLUME})
    cloud.volumes.retain("v1", "its instance was active")
    marks = stub.asked("POST", "/metadata$")[0].body["metadata"]
    assert marks == {"trove_retained": "its instance was active"}
    assert stub.asked("PUT", "/volumes/v1$")[0].body["volume"] == {
        "name": "retained a.volume"
    }
