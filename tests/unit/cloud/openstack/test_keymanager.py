# SPDX-License-Identifier: Apache-2.0
"""What Barbican's answers mean, as castellan hands them on. What it does with a real
one is the contract (``tests/contract/keymanager``)."""

import sys

import pytest
from oslo_config import cfg

from tests.unit.cloud.openstack.conftest import settings
from trove import errors
from trove.cloud import protocol
from trove.cloud.openstack import keymanager
from trove.cloud.openstack.keymanager import KeyManager, NoLibrary
from trove.cloud.openstack.session import Access

ID = "0a1b2c3d-0000-4000-8000-000000000001"
OTHER = "0a1b2c3d-0000-4000-8000-000000000002"
SECRETS, SECRET = "^/key-manager/v1/secrets$", f"^/key-manager/v1/secrets/{ID}$"
ORDERS, ORDER = "^/key-manager/v1/orders/$", f"^/key-manager/v1/orders/{OTHER}$"
FAILED = {"title": "Failed", "description": "it failed", "code": 0}


def connected(stub, **options):
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    access = Access(settings(stub))
    made = KeyManager(access, conf)
    return access, made


@pytest.fixture
def manager(stub):
    access, made = connected(stub)
    yield made
    access.close()


def described(stub):
    return {
        "secret_ref": f"{stub.url}/key-manager/v1/secrets/{ID}",
        "name": "n",
        "algorithm": "AES",
        "bit_length": 256,
        "secret_type": "symmetric",
        "status": "ACTIVE",
        "content_types": {"default": "application/octet-stream"},
        "consumers": [],
    }


def ordered(stub, status):
    return {
        "order_ref": f"{stub.url}/key-manager/v1/orders/{OTHER}",
        "secret_ref": f"{stub.url}/key-manager/v1/secrets/{ID}",
        "type": "key",
        "status": status,
        "meta": {"name": "n", "algorithm": "AES", "bit_length": 256},
        "error_status_code": "500" if status == "ERROR" else None,
        "error_reason": "no room" if status == "ERROR" else None,
    }


CALLS = {
    "named": ("GET", SECRETS, lambda manager: manager.named("n")),
    "make": ("POST", ORDERS, lambda manager: manager.make("n")),
    "secret": ("GET", SECRET, lambda manager: manager.secret(ID)),
    "delete": ("GET", SECRET, lambda manager: manager.delete(ID)),
}
AWAY = [
    (401, FAILED),
    (408, FAILED),
    (429, FAILED),
    (500, FAILED),
    (503, b"<html>down</html>"),
    (200, b'{"secr'),
    "reset",
    "silence",
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("answer", AWAY, ids=str)
def test_what_may_pass_is_one_that_does_not_answer(stub, manager, call, answer):
    method, path, deed = CALLS[call]
    stub.on(method, path, answer)
    with pytest.raises(errors.Unavailable, match=r"^The key manager does not answer"):
        deed(manager)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [400, 403])
def test_what_is_refused_is_refused(stub, manager, call, status):
    method, path, deed = CALLS[call]
    stub.on(method, path, (status, FAILED))
    with pytest.raises(errors.Forbidden, match="it failed|HTTP 40"):
        deed(manager)


def test_a_secret_that_is_gone_is_not_found(stub, manager):
    stub.on("GET", SECRET, (404, FAILED))
    with pytest.raises(errors.NotFound, match=f"fetch the key {ID}"):
        manager.secret(ID)
    manager.delete(ID)


def test_a_404_that_is_none_of_barbicans_is_not_believed(stub, manager):
    """A backup would be given up for a proxy that lost its way."""
    stub.on("GET", SECRET, (404, {"message": "no such route"}))
    with pytest.raises(errors.Unavailable):
        manager.secret(ID)


def test_a_refused_token_is_replaced(stub, manager):
    stub.on("GET", SECRET, (401, FAILED), described(stub))
    stub.on("GET", f"{SECRET[:-1]}/payload$", (200, b"k" * 32))
    assert manager.secret(ID) == b"k" * 32
    tokens = [asked.headers["X-Auth-Token"] for asked in stub.asked("GET", SECRET)]
    assert tokens == ["token-1", "token-2"]


def test_a_secret_without_bytes_has_none(stub, manager):
    """castellan would hand on None."""
    stub.on("GET", SECRET, {**described(stub), "content_types": None})
    stub.on("GET", f"{SECRET[:-1]}/payload$", (200, b""))
    assert manager.secret(ID) == b""


def test_it_is_barbican_that_makes_a_key(stub, manager):
    stub.on("POST", ORDERS, (202, ordered(stub, "PENDING")))
    stub.on("GET", ORDER, ordered(stub, "ACTIVE"))
    assert manager.make("n") == ID
    (asked,) = stub.asked("POST", "")
    assert asked.path == "/key-manager/v1/orders/"
    assert asked.body["meta"] == {"name": "n", "algorithm": "AES", "bit_length": 256}
    assert "payload" not in str(asked.body)


@pytest.mark.parametrize("status", ["ERROR", "PENDING"])
def test_a_key_that_is_not_made_is_looked_for_again(stub, status, monkeypatch):
    monkeypatch.setattr(keymanager, "POLLS", 1)
    monkeypatch.setattr(keymanager, "PAUSE", 0)
    access, manager = connected(stub)
    stub.on("POST", ORDERS, (202, ordered(stub, "PENDING")))
    stub.on("GET", ORDER, ordered(stub, status))
    with pytest.raises(errors.Unavailable):
        manager.make("n")
    access.close()


def test_names_are_asked_for_as_they_are(stub, manager):
    refs = [f"{stub.url}/key-manager/v1/secrets/{id}" for id in (ID, OTHER)]
    stub.on("GET", SECRETS, {"secrets": [{"secret_ref": ref} for ref in refs]})
    assert manager.named("trove d & p?=1") == [ID, OTHER]
    (asked,) = stub.asked("GET", SECRETS)
    assert asked.query["name"] == ["trove d & p?=1"]
    assert asked.query["sort"] == ["created:asc"]


def test_a_catalogue_without_one_says_so(stub, manager, monkeypatch):
    manager.check()
    access, other = connected(stub)
    monkeypatch.setattr(keymanager, "SERVICE", "no-such-service")
    with pytest.raises(protocol.Refused, match="has no no-such-service"):
        other.check()
    access.close()


def test_an_operator_may_say_where_it_is(stub):
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    access = Access(settings(stub))
    KeyManager(access, conf)
    conf.set_override("barbican_endpoint", f"{stub.url}/elsewhere/", "barbican")
    stub.on("GET", "^/elsewhere/v1/secrets$", {"secrets": []})
    made = KeyManager(access, conf)
    made.check()
    assert made.named("n") == []
    access.close()


def test_what_the_cloud_is_reached_by_is_castellans_default(stub):
    access = Access(settings(stub, interface="internal", cafile="/etc/ca.pem"))
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    KeyManager(access, conf)
    said = conf.barbican
    assert (said.barbican_region_name, said.barbican_endpoint_type) == (
        "r1",
        "internal",
    )
    assert (said.verify_ssl, said.verify_ssl_path) == (True, "/etc/ca.pem")


def test_without_the_extra_it_says_what_is_missing(stub, monkeypatch):
    monkeypatch.setitem(sys.modules, "castellan", None)
    with pytest.raises(NoLibrary, match=r"pip install 'trove-dbaas\[barbican\]'"):
        connected(stub)
