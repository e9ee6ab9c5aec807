# SPDX-License-Identifier: Apache-2.0
"""Which class a failed call has, told by real replies to the real clients."""

import pytest

from trove import errors
from trove.cloud import protocol

CREATES = {
    "compute": (
        "/compute/v2.1/servers$",
        lambda cloud: cloud.compute.boot(
            "a.server", protocol.Boot("db", "image", "1", (), None, "")
        ),
    ),
    "volumes": (
        "/volume/v3/p1/volumes$",
        lambda cloud: cloud.volumes.create("a.volume", 1),
    ),
    "network": (
        "/network/v2.0/ports$",
        lambda cloud: cloud.network.create_port("a.port", "net", ()),
    ),
}
SHOWS = {
    "compute": ("/compute/v2.1/servers/x$", lambda cloud: cloud.compute.show("x")),
    "volumes": ("/volume/v3/p1/volumes/x$", lambda cloud: cloud.volumes.show("x")),
    "network": ("/network/v2.0/ports/x$", lambda cloud: cloud.network.show_port("x")),
    "images": ("/image/v2/images/x$", lambda cloud: cloud.images.show("x")),
}
DELETES = {
    "compute": ("/compute/v2.1/servers/x$", lambda cloud: cloud.compute.delete("x")),
    "volumes": ("/volume/v3/p1/volumes/x$", lambda cloud: cloud.volumes.delete("x")),
    "network": ("/network/v2.0/ports/x$", lambda cloud: cloud.network.delete_port("x")),
}

FAILED = {"error": {"message": "it failed"}}
AGAIN = {"Retry-After": "7"}

# answer, class on a create, class on a show or delete, seconds asked for
TABLE = {
    "a reset": ("reset", protocol.Unknown, protocol.Passing, None),
    "no answer": ("silence", protocol.Unknown, protocol.Passing, None),
    "500": ((500, FAILED), protocol.Unknown, protocol.Passing, None),
    "502 of a proxy": ((502, b"<html>"), protocol.Unknown, protocol.Passing, None),
    "503": ((503, FAILED, AGAIN), protocol.Unknown, protocol.Passing, 7),
    "429": ((429, FAILED, AGAIN), protocol.Passing, protocol.Passing, 7),
    "413": ((413, FAILED, AGAIN), protocol.Passing, protocol.Passing, 7),
    "413 at once": (
        (413, FAILED, {"Retry-After": "0"}),
        protocol.Refused,
        protocol.Refused,
        None,
    ),
    "401 twice": ((401, FAILED), protocol.Passing, protocol.Passing, None),
    "409": ((409, FAILED), protocol.CloudConflict, protocol.CloudConflict, None),
    "403": ((403, FAILED), protocol.Refused, protocol.Refused, None),
    "404 of a proxy": ((404, b"<html>"), protocol.Unknown, protocol.Passing, None),
}


@pytest.mark.parametrize("noun", CREATES)
@pytest.mark.parametrize("told", TABLE)
def test_a_create_that_fails(stub, cloud, noun, told):
    answer, wanted, _, seconds = TABLE[told]
    path, call = CREATES[noun]
    stub.on("POST", path, answer)
    with pytest.raises(wanted) as raised:
        call(cloud)
    assert raised.type is wanted
    if seconds:
        assert raised.value.retry_after == seconds


LOOKS = [("GET", *call) for call in SHOWS.values()]
ENDS = [("DELETE", *call) for call in DELETES.values()]


@pytest.mark.parametrize("verb, path, call", LOOKS + ENDS)
@pytest.mark.parametrize("told", TABLE)
def test_a_show_or_delete_that_fails(stub, cloud, told, verb, path, call):
    answer, _, wanted, seconds = TABLE[told]
    stub.on(verb, path, answer)
    with pytest.raises(wanted) as raised:
        call(cloud)
    assert raised.type is wanted
    if seconds:
        assert raised.value.retry_after == seconds


OF_GLANCE = (404, b"<html>", {"x-openstack-request-id": "req-1"})
"""It has no other words for it, as a real one was seen to say."""


@pytest.mark.parametrize("noun", SHOWS)
def test_a_404_in_html_is_believed_of_a_service(stub, cloud, noun):
    path, call = SHOWS[noun]
    stub.on("GET", path, OF_GLANCE)
    assert call(cloud) is None


@pytest.mark.parametrize("noun", CREATES)
@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_create_that_is_refused_says_with_what_status(stub, cloud, noun, status):
    path, call = CREATES[noun]
    stub.on("POST", path, (status, FAILED))
    with pytest.raises(protocol.Refused) as raised:
        call(cloud)
    assert raised.value.status == status
    assert "it failed" in raised.value.message


@pytest.mark.parametrize("noun", CREATES)
@pytest.mark.parametrize("body", [b'{"server": {"id', b"<html>welcome</html>", {}])
def test_a_create_whose_reply_cannot_be_read_is_unknown(stub, cloud, noun, body):
    path, call = CREATES[noun]
    stub.on("POST", path, (202, body))
    with pytest.raises(protocol.Unknown):
        call(cloud)


@pytest.mark.parametrize("noun", SHOWS)
@pytest.mark.parametrize("body", [b'{"server": {"id', b"<html>welcome</html>", {}])
def test_a_show_whose_reply_cannot_be_read_is_passing(stub, cloud, noun, body):
    path, call = SHOWS[noun]
    stub.on("GET", path, (200, body))
    with pytest.raises(protocol.Passing) as raised:
        call(cloud)
    assert not isinstance(raised.value, protocol.Unknown)


@pytest.mark.parametrize("noun", SHOWS)
def test_what_is_not_there_is_shown_as_none(cloud, noun):
    assert SHOWS[noun][1](cloud) is None


@pytest.mark.parametrize("noun", DELETES)
def test_what_is_not_there_is_deleted_with_success(cloud, noun):
    DELETES[noun][1](cloud)


def test_over_quota_in_neutron_is_final(stub, cloud):
    full = {
        "NeutronError": {
            "type": "OverQuota",
            "message": "Quota exceeded for resources: ['port'].",
            "detail": "",
        }
    }
    stub.on("POST", "/ports$", (409, full))
    with pytest.raises(protocol.Refused) as raised:
        cloud.network.create_port("a.port", "net", ())
    assert raised.value.status == 409


def test_a_date_to_come_back_at_is_obeyed(stub, cloud):
    late = {"Retry-After": "Thu, 01 Jan 2099 00:00:00 GMT"}
    stub.on("GET", "/servers/x$", (503, FAILED, late))
    with pytest.raises(protocol.Passing) as raised:
        cloud.compute.show("x")
    assert raised.value.retry_after > 1_000_000


@pytest.mark.parametrize("id", ["../os-hypervisors", "..", "a/b", "a?b=c", "", "é"])
def test_an_id_of_a_user_is_never_a_path(stub, cloud, id):
    with pytest.raises(errors.FlavorNotFound):
        cloud.compute.flavor(id)
    assert cloud.network.network(id) is None
    assert stub.requests == []


def test_a_create_that_was_never_sent_has_made_nothing(stub, cloud):
    cloud.volumes.show("x")
    cloud.close()
    stub.close()
    with pytest.raises(protocol.Passing) as raised:
        cloud.volumes.create("a.volume", 1)
    assert raised.type is protocol.Passing


def test_a_cloud_that_is_not_there_is_passing(stub, cloud):
    stub.close()
    with pytest.raises(protocol.Passing) as raised:
        cloud.volumes.show("x")
    assert "secret" not in raised.value.message
