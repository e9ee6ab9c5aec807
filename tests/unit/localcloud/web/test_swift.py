# SPDX-License-Identifier: Apache-2.0
import hmac
import json

import pytest
import webob

from trove.localcloud import objects
from trove.localcloud.web import swift

NOW = 1_000_000.0


class Store:
    """Requests by a project's user, without a socket."""

    def __init__(self, path):
        self.objects = objects.Objects(path, clock=lambda: NOW)
        self._application = swift.Application(self.objects)

    def __call__(self, verb, path, body=None, *, project="p", roles="member", **said):
        request = webob.Request.blank(path, method=verb)
        if body is not None:
            request.body = body
        if project is not None:
            request.headers["X-Identity-Status"] = "Confirmed"
            request.headers["X-Project-Id"] = project
            request.headers["X-Roles"] = roles
        for name, value in said.items():
            request.headers[name.replace("_", "-")] = value
        return request.get_response(self._application)


@pytest.fixture
def ask(tmp_path):
    made = Store(tmp_path)
    yield made
    made.objects.close()


@pytest.fixture
def full(ask):
    assert ask("PUT", "/v1/AUTH_p/c").status_int == 201
    assert ask("PUT", "/v1/AUTH_p/c").status_int == 202
    for number in range(3):
        ask("PUT", f"/v1/AUTH_p/c/logs/{number}", b"line\n" * number)
    return ask


def signed(method, path, expires, key="k", prefix=None, digest="sha256"):
    base = path if prefix is None else f"prefix:{prefix}"
    text = f"{method}\n{expires}\n{base}"
    signature = hmac.new(key.encode(), text.encode(), digest).hexdigest()
    url = f"{path}?temp_url_sig={signature}&temp_url_expires={expires}"
    if prefix is not None:
        url += f"&temp_url_prefix={prefix.split('/', 4)[4]}"
    return url


def test_an_object_comes_back_as_it_was_put(full):
    answer = full("PUT", "/v1/AUTH_p/c/o", b"one\ntwo\n", X_Object_Meta_Lines="2")
    assert answer.status_int == 201
    assert answer.etag == "2094b601daac3d68f5aed51d3c20f7cd"
    answer = full("GET", "/v1/AUTH_p/c/o")
    assert answer.body == b"one\ntwo\n"
    assert answer.headers["X-Object-Meta-Lines"] == "2"
    answer = full("HEAD", "/v1/AUTH_p/c/o")
    assert (answer.body, answer.content_length) == (b"", 8)
    answer = full("GET", "/v1/AUTH_p/c/o", Range="bytes=4-6")
    assert (answer.status_int, answer.body) == (206, b"two")
    assert full("DELETE", "/v1/AUTH_p/c/o").status_int == 204
    assert full("GET", "/v1/AUTH_p/c/o").status_int == 404


def test_a_list_in_json_and_in_lines(full):
    rows = full("GET", "/v1/AUTH_p/c?format=json&prefix=logs/").json
    assert [row["name"] for row in rows] == ["logs/0", "logs/1", "logs/2"]
    assert rows[1]["bytes"] == 5 and rows[1]["last_modified"].startswith("1970-")
    assert full("GET", "/v1/AUTH_p/c?delimiter=/").text == "logs/\n"
    assert full("GET", "/v1/AUTH_p/c?delimiter=/&format=json").json == [
        {"subdir": "logs/"}
    ]
    assert full("GET", "/v1/AUTH_p?format=json").json == [
        {"name": "c", "count": 3, "bytes": 15}
    ]
    assert full("GET", "/v1/AUTH_p/c?limit=10001").status_int == 412
    assert full("GET", "/v1/AUTH_p/c?limit=x").status_int == 412
    assert full("GET", "/v1/AUTH_p/none").status_int == 404


def test_a_container_goes_when_it_is_empty(full):
    assert full("DELETE", "/v1/AUTH_p/c").status_int == 409
    for number in range(3):
        full("DELETE", f"/v1/AUTH_p/c/logs/{number}")
    assert full("DELETE", "/v1/AUTH_p/c").status_int == 204
    assert full("DELETE", "/v1/AUTH_p/c").status_int == 404


def test_what_is_said_of_things(full):
    full("POST", "/v1/AUTH_p/c", X_Container_Meta_Color="red")
    assert full("HEAD", "/v1/AUTH_p/c").headers["X-Container-Meta-Color"] == "red"
    full("POST", "/v1/AUTH_p/c", X_Remove_Container_Meta_Color="x")
    assert "X-Container-Meta-Color" not in full("HEAD", "/v1/AUTH_p/c").headers
    assert full("POST", "/v1/AUTH_p/c/logs/1", X_Object_Meta_A="b").status_int == 202
    assert full("HEAD", "/v1/AUTH_p/c/logs/1").headers["X-Object-Meta-A"] == "b"


def test_who_may(full):
    path = "/v1/AUTH_p/c/logs/1"
    assert full("GET", path, project=None).status_int == 401
    assert full("GET", path, project="q").status_int == 403
    assert full("GET", path, project="q", roles="admin").status_int == 200
    assert full("GET", path, roles="reader").status_int == 200
    assert full("PUT", path, b"", roles="reader").status_int == 403
    assert full("GET", "/v1/p/c").status_int == 404
    assert full("BREW", path).status_int == 405


def test_a_wrong_etag_leaves_what_was_there(full):
    answer = full("PUT", "/v1/AUTH_p/c/logs/1", b"other", Etag="0" * 32)
    assert answer.status_int == 422
    assert full("GET", "/v1/AUTH_p/c/logs/1").body == b"line\n"


def test_a_signed_url_is_good_for_its_method_object_and_time(full):
    full("POST", "/v1/AUTH_p", X_Account_Meta_Temp_URL_Key="k")
    path, later = "/v1/AUTH_p/c/logs/1", int(NOW) + 60

    def status(method, url, **said):
        body = b"new" if method == "PUT" else None
        return full(method, url, body, project=None, **said).status_int

    assert status("GET", signed("GET", path, later)) == 200
    assert status("GET", signed("GET", path, later, digest="sha512")) == 200
    assert status("HEAD", signed("GET", path, later)) == 200
    assert status("PUT", signed("GET", path, later)) == 401
    assert status("GET", signed("GET", path, int(NOW) - 1)) == 401
    assert status("GET", signed("GET", path, later, key="another")) == 401
    url = signed("GET", path, later).replace("logs/1", "logs/2")
    assert status("GET", url) == 401
    assert status("GET", signed("GET", path, later, digest="sha1")) == 401
    assert status("GET", f"{path}?temp_url_sig=nonsense&temp_url_expires=1") == 401


def test_a_signed_prefix_is_good_for_what_begins_with_it(full):
    full("POST", "/v1/AUTH_p/c", X_Container_Meta_Temp_URL_Key="k")
    later = int(NOW) + 60
    prefix = "/v1/AUTH_p/c/logs/"
    url = signed("PUT", prefix + "9", later, prefix=prefix)
    assert full("PUT", url, b"nine", project=None).status_int == 201
    other = url.replace("/logs/9?", "/other/9?")
    assert full("PUT", other, b"nine", project=None).status_int == 401
    assert full("DELETE", url, project=None).status_int == 401
    assert full("GET", url, project=None).status_int == 401
    answer = full("PUT", url, b"", project=None, X_Object_Manifest="c/other")
    assert answer.status_int == 400


def test_static_large_objects(full):
    for number, text in enumerate((b"abc", b"defg")):
        full("PUT", f"/v1/AUTH_p/c/part/{number}", text)
    manifest = [{"path": "/c/part/0", "size_bytes": 3}, {"path": "/c/part/1"}]
    url = "/v1/AUTH_p/c/whole?multipart-manifest="
    made = full("PUT", url + "put", json.dumps(manifest).encode())
    assert made.status_int == 201
    answer = full("GET", "/v1/AUTH_p/c/whole")
    assert answer.body == b"abcdefg"
    assert answer.headers["X-Static-Large-Object"] == "True"
    ranged = full("GET", "/v1/AUTH_p/c/whole", Range="bytes=2-4")
    assert ranged.body == b"cde"
    assert [row["bytes"] for row in full("GET", url + "get").json] == [3, 4]
    full("PUT", "/v1/AUTH_p/c/part/1", b"another")
    assert full("GET", "/v1/AUTH_p/c/whole").status_int == 409
    assert full("DELETE", url + "delete").status_int == 204
    assert full("GET", "/v1/AUTH_p/c/part/0").status_int == 404


@pytest.mark.parametrize(
    "manifest",
    [b"", b"{}", b"[]", b'["a"]', b'[{"path": "/c/none"}]', b"[" * 100_000],
)
def test_a_manifest_that_is_none(full, manifest):
    url = "/v1/AUTH_p/c/whole?multipart-manifest=put"
    assert full("PUT", url, manifest).status_int == 400


def test_dynamic_large_objects(full):
    full("PUT", "/v1/AUTH_p/c/all", b"", X_Object_Manifest="c/logs/")
    assert full("GET", "/v1/AUTH_p/c/all").body == b"line\n" * 3


def test_what_can_be_done_is_told_to_anybody(ask):
    assert ask("GET", "/info", project=None).json["tempurl"]["allowed_digests"]


@pytest.mark.parametrize("name", ["a%00b", "a%0Ab", "x" * 1025])
def test_a_name_that_cannot_be(full, name):
    assert full("PUT", f"/v1/AUTH_p/c/{name}", b"").status_int == 400


def test_an_object_expires(full):
    full("PUT", "/v1/AUTH_p/c/o", b"", X_Delete_After="60")
    assert full("HEAD", "/v1/AUTH_p/c/o").headers["X-Delete-At"] == str(int(NOW) + 60)
    full("PUT", "/v1/AUTH_p/c/o", b"", X_Delete_At=str(int(NOW) - 1))
    assert full("GET", "/v1/AUTH_p/c/o").status_int == 404
    assert full("PUT", "/v1/AUTH_p/c/o", b"", X_Delete_At="soon").status_int == 400
