# SPDX-License-Identifier: Apache-2.0
"""What a key manager does with secrets: the same of the real one and of ours."""

import datetime
import uuid

import pytest

BINARY, TEXT = "application/octet-stream", "text/plain"


def test_bytes_come_back_as_they_were(keys):
    data = bytes(range(256)) * 8
    said = keys("GET", keys.binary(data) + "/payload", Accept=BINARY)
    assert (said.status_code, said.content) == (200, data)
    assert said.headers["Content-Type"] == BINARY


def test_a_text_comes_back_without_the_blanks_round_it(keys):
    said = keys("GET", keys.text(" pä ss\n") + "/payload", Accept=TEXT)
    assert (said.status_code, said.content) == (200, "pä ss".encode())
    assert said.headers["Content-Type"] == "text/plain; charset=UTF-8"


@pytest.mark.parametrize("accept", [BINARY, TEXT])
def test_what_was_asked_for_is_not_looked_at(keys, accept):
    """It calls the bytes what it was asked for."""
    for path, data in ((keys.text("x"), b"x"), (keys.binary(b"\x00"), b"\x00")):
        said = keys("GET", path + "/payload", Accept=accept)
        assert (said.status_code, said.content) == (200, data)
        assert said.headers["Content-Type"].startswith(accept)


def test_what_is_said_of_a_secret(keys):
    path = keys.text("x", name="word", secret_type="passphrase")
    said = keys("GET", path, Accept="application/json").json()
    assert said.pop("created")[:2] == said.pop("updated")[:2] == "20"
    assert said == {
        "name": "word",
        "status": "ACTIVE",
        "secret_type": "passphrase",
        "expiration": None,
        "algorithm": None,
        "bit_length": None,
        "mode": None,
        "creator_id": "u",
        "content_types": {"default": TEXT},
        "secret_ref": f"{keys.endpoint}/v1/secrets{path}",
    }


def test_a_secret_in_two_steps(keys):
    path = keys.made(name="later")
    assert "content_types" not in keys("GET", path).json()
    assert keys("GET", path + "/payload", Accept=TEXT).status_code == 404
    assert keys("PUT", path, b"x", Content_Type=TEXT).status_code == 204
    assert keys("PUT", path, b"y", Content_Type=TEXT).status_code == 409
    assert keys("GET", path + "/payload", Accept=TEXT).content == b"x"


def test_it_is_gone_when_it_is_deleted(keys):
    path = keys.text("x")
    assert keys("DELETE", path).status_code == 204
    for verb, below in (("GET", ""), ("GET", "/payload"), ("DELETE", "")):
        assert keys(verb, path + below).status_code == 404


@pytest.mark.parametrize("who, roles", [("p2", "member"), ("p1", "reader")])
def test_another_project_has_it_not_and_a_reader_reads_none(keys, who, roles):
    path = keys.text("x")
    for verb, below in (("GET", ""), ("GET", "/payload"), ("DELETE", "")):
        said = keys(verb, path + below, who=who, roles=roles)
        assert said.status_code == 403
        assert said.json()["title"] == "Forbidden"
    assert keys("GET", path).status_code == 200


def test_an_administrator_of_another_project_reads_it_not_either(keys):
    path = keys.text("x")
    for verb, below, status in (("GET", "/payload", 403), ("GET", "", 200)):
        said = keys(verb, path + below, who="p2", roles="admin")
        assert said.status_code == status
    assert keys("DELETE", path, who="p2", roles="admin").status_code == 204


def test_a_reader_stores_none_and_lists_none(keys):
    for verb, body in (("GET", None), ("POST", {"name": "x"})):
        assert keys(verb, body=body, roles="reader").status_code == 403


@pytest.mark.parametrize("id", [uuid.uuid4(), "nonsense"])
def test_what_is_not_there(keys, id):
    for below in ("", "/payload"):
        said = keys("GET", f"/{id}{below}")
        assert (said.status_code, said.json()["code"]) == (404, 404)


@pytest.mark.parametrize(
    "body",
    [
        {"payload": "x"},
        {"payload": "x", "payload_content_type": BINARY},
        {"payload": "x", "payload_content_type": "image/png"},
        {"payload": "", "payload_content_type": TEXT},
        {"name": 7},
        {"secret_type": "odd"},
        {"expiration": "2020-01-01T00:00:00"},
        {"payload": "x" * 50_000, "payload_content_type": TEXT},
        b"nonsense",
    ],
)
def test_what_is_no_secret_is_refused(keys, body):
    said = keys("POST", body=body, Content_Type="application/json")
    assert (said.status_code, said.json()["title"]) == (400, "Bad Request")


def test_a_body_of_another_kind(keys):
    assert keys("POST", body=b"x", Content_Type=TEXT).status_code == 415


def test_one_with_an_end_that_is_to_come(keys):
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    path = keys.text("x", expiration=ends.strftime("%Y-%m-%dT%H:%M:%S"))
    assert keys("GET", path + "/payload", Accept=TEXT).content == b"x"


def test_a_list_has_pages(keys):
    who = str(uuid.uuid4())
    said = keys("GET", who=who).json()
    assert said == {"secrets": [], "total": 0}
    for name in ("a", "b", "c"):
        body = {"name": name, "payload": name, "payload_content_type": TEXT}
        assert keys("POST", body=body, who=who).status_code == 201
    first = keys("GET", "?limit=2", who=who).json()
    assert [one["name"] for one in first["secrets"]] == ["a", "b"]
    assert first["total"] == 3 and "previous" not in first
    path = first["next"].removeprefix(f"{keys.endpoint}/v1/secrets")
    second = keys("GET", path, who=who).json()
    assert [one["name"] for one in second["secrets"]] == ["c"]
    assert "next" not in second and second["previous"]
    named = keys("GET", "?name=b", who=who).json()
    assert [one["name"] for one in named["secrets"]] == ["b"]
    assert named["total"] == 1
    assert "payload" not in str(named).lower()


def test_another_verb(keys):
    assert keys("PATCH", keys.text("x"), roles="admin").status_code == 405
