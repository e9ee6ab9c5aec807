# SPDX-License-Identifier: Apache-2.0
"""TLS through the API: what is there is shown, and what cannot be done is said."""

import pytest

from trove.service.certificates import Authority

BARBICAN = "https://keys.example.org/v1/containers/c"


@pytest.fixture
def certified(world, tmp_path):
    """An instance whose guest has a certificate of the deployment's authority."""
    id = world.active()
    authority = Authority.create(tmp_path / "ca")
    text, _ = authority.server_certificate(["db.example.org"], ["10.1.0.7"])
    world.desks.certificates[id] = text
    return id


def test_what_there_is_is_shown(world, certified):
    shown = world.ask("GET", f"instances/{certified}/ssl").json["ssl"]
    assert shown["status"] == "on"
    assert shown["mode"] == "enforced"
    assert shown["restart_required"] is False
    certificate = shown["certificate"]
    assert certificate["san"] == ["db.example.org", "10.1.0.7"]
    assert certificate["expire_at"].startswith("20")
    assert "payload" not in certificate


def test_the_certificate_itself_and_never_its_key(world, certified):
    path = f"instances/{certified}/ssl?include_certificate=true"
    payload = world.ask("GET", path).json["ssl"]["certificate"]["payload"]
    assert payload == world.desks.certificates[certified]
    assert "PRIVATE" not in payload


def test_a_guest_without_one_or_with_nonsense(world):
    id = world.active()
    assert "certificate" not in world.ask("GET", f"instances/{id}/ssl").json["ssl"]
    world.desks.certificates[id] = "nonsense"
    assert world.ask("GET", f"instances/{id}/ssl").status_int >= 500


@pytest.mark.parametrize(
    "said, status, words",
    [
        ({}, 400, "one of"),
        ({"enable": True, "disable": True}, 400, "one of"),
        ({"enable": True}, 400, "container_ref"),
        ({"enable": True, "container_ref": BARBICAN, "mode": "weak"}, 400, "mode"),
        ({"enable": True, "container_ref": BARBICAN, "mode": "mtls"}, 501, "your own"),
        ({"disable": True}, 501, "cannot be disabled"),
        ({"rollback": True}, 400, "return to"),
        ({"enable": True, "key": "x"}, 400, "not known"),
    ],
)
def test_what_cannot_be_done_is_said(world, certified, said, status, words):
    answer = world.ask("POST", f"instances/{certified}/ssl", {"ssl": said})
    assert (answer.status_int, words in answer.text) == (status, True), answer.text


def test_a_database_that_is_not_there_yet(world):
    assert world.ask("GET", f"instances/{world.created()}/ssl").status_int == 422
