# SPDX-License-Identifier: Apache-2.0
import pytest


def test_a_path_that_is_none_is_not_found(web):
    assert "not be found" in web.refused(404, "GET", "/compute/v2.1/what")


def test_a_verb_that_is_none_is_refused(web):
    web.refused(405, "DELETE", "/compute/v2.1/flavors")


def test_who_may_only_read_changes_nothing(web):
    body = {"volume": {"size": 1}}
    path = "/volume/v3/p/volumes"
    web.refused(403, "POST", path, body, roles="reader")
    assert web("GET", path, roles="reader", status=200) == {"volumes": []}


def test_the_project_in_the_path_is_the_callers_own(web):
    web.refused(403, "GET", "/volume/v3/other/volumes")
    web("GET", "/volume/v3/other/volumes", roles="admin", status=200)


@pytest.mark.parametrize("body", [b"{", b"[]", b"1", b'{"server": 1}', b"\xff"])
def test_a_body_that_is_none_is_refused(web, body):
    web.refused(400, "POST", "/compute/v2.1/servers", body)


def test_each_service_refuses_in_its_own_words(web):
    nova = web("GET", "/compute/v2.1/servers/x", status=404)
    assert nova == {
        "itemNotFound": {"code": 404, "message": "Instance x could not be found."}
    }
    neutron = web("GET", "/network/v2.0/ports/x", status=404)
    assert neutron["NeutronError"]["type"] == "PortNotFound"
    glance = web("GET", "/image/v2/images/%3Cb%3E", status=404)
    assert "404 Not Found" in glance and "ID &lt;b&gt;<br />" in glance
    assert "itemNotFound" in web("GET", "/volume/v3/p/volumes/x", status=404)
