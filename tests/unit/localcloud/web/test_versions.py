# SPDX-License-Identifier: Apache-2.0
import pytest

from trove.localcloud.web import versions

ENDPOINT = "http://127.0.0.1:1"


def document(path):
    environ = {"PATH_INFO": path, "REQUEST_METHOD": "GET", "SCRIPT_NAME": ""}
    return versions.document(environ, ENDPOINT)


@pytest.mark.parametrize(
    ("path", "status", "id"),
    [
        ("/compute/", 200, "v2.1"),
        ("/volume/", 300, "v3.0"),
        ("/network/", 200, "v2.0"),
        ("/image/", 300, "v2.9"),
        ("/image/versions", 200, "v2.9"),
        ("/volume/v3/", 200, "v3.0"),
    ],
)
def test_the_versions_need_no_token(path, status, id):
    said = document(path)
    assert said.status_int == status
    assert said.json["versions"][0]["id"] == id


def test_novas_own_document_says_its_microversions():
    said = document("/compute/v2.1/").json["version"]
    assert (said["min_version"], said["version"]) == ("2.1", "2.93")


@pytest.mark.parametrize("path", ["/", "/compute/v2.1/servers", "/image/v2", "/x"])
def test_every_other_path_needs_one(path):
    assert document(path) is None


def test_a_microversion_that_is_none_is_refused(web):
    web.refused(406, "GET", "/compute/v2.1/servers", version="2.999")
    web.refused(400, "GET", "/compute/v2.1/servers", version="two")
    web("GET", "/compute/v2.1/servers", version="latest", status=200)


def test_the_key_manager_has_a_form_of_its_own():
    said = document("/key-manager/")
    assert said.status_int == 300
    assert said.json["versions"]["values"][0]["id"] == "v1"
    assert document("/key-manager/v1/secrets") is None
