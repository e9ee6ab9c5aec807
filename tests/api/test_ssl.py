# SPDX-License-Identifier: Apache-2.0
"""TLS through the API: what is shown, what is brought, and what is refused."""

import base64
import json
import logging
import re
import subprocess
import threading
import uuid

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.api.test_attacks_secrets import _dump, _told
from tests.api.test_configurations import Task
from tests.api.world import DEMO, OTHER, World
from tests.keymanager import serving
from tests.pkcs12 import Authority
from trove.db.tables import BroughtCertificate, DatastoreVersion, Instance, Operation
from trove.model import operations
from trove.model.states import OperationState
from trove.service.certificates import Authority as Deployment

PASSWORD = "canary-of-a-pkcs12-password-19f2"
AUTHORITY = Authority()


@pytest.fixture
def certified(world, tmp_path):
    """An instance whose guest has a certificate of the deployment's authority."""
    id = world.active()
    authority = Deployment.create(tmp_path / "ca")
    text, _ = authority.server_certificate(["db.example.org"], ["10.1.0.7"])
    world.desks.certificates[id] = text
    return id


@pytest.fixture
def keys(tmp_path):
    with serving(tmp_path) as made:
        yield made


def ask(world, id, keys, said, query="", **about):
    headers = {
        "X-Auth-Token": f"{DEMO}/member",
        "X-Service-Catalog": keys.catalogue(),
        **about.pop("headers", {}),
    }
    path = f"instances/{id}/ssl{query}"
    return world.ask("POST", path, {"ssl": said}, headers=headers, **about)


def bring(world, id, keys, made=None, password=None, **about):
    """Asks for a certificate to be served with; the answer."""
    made = made or AUTHORITY.server()
    data = made if isinstance(made, bytes) else made.pkcs12(password)
    said = {"enable": True, "container_ref": keys.store(data)}
    if password is not None:
        said["password_ref"] = keys.store(password.encode(), text=True)
    return ask(world, id, keys, said | about)


def accepted(world, id):
    return [o for o in world.operations(id) if o.kind == operations.SSL]


# -- looking ------------------------------------------------------------------------


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


def test_a_users_own_is_shown_with_its_mode_and_chain(world, certified):
    made = AUTHORITY.server("shop.example.com")
    world.desks.certificates[certified] = made.pem
    world.desks.brought[certified] = "mtls"
    path = f"instances/{certified}/ssl?include_certificate=true"
    shown = world.ask("GET", path).json["ssl"]
    assert shown["mode"] == "mtls"
    assert shown["certificate"]["cn"] == "shop.example.com"
    assert shown["certificate"]["payload"] == made.pem


def test_a_guest_without_one_or_with_nonsense(world):
    id = world.active()
    assert "certificate" not in world.ask("GET", f"instances/{id}/ssl").json["ssl"]
    world.desks.certificates[id] = "nonsense"
    assert world.ask("GET", f"instances/{id}/ssl").status_int >= 500


def test_a_database_that_is_not_there_yet(world):
    assert world.ask("GET", f"instances/{world.created()}/ssl").status_int == 422


# -- what cannot be asked -----------------------------------------------------------


@pytest.mark.parametrize("xml", [False, True], ids=["json", "xml"])
@pytest.mark.parametrize(
    "said, status, words",
    [
        ({"mode": "basic"}, 400, "one of"),
        ({"enable": True, "disable": True}, 400, "one of"),
        ({"enable": True, "rollback": True}, 400, "one of"),
        ({"enable": True}, 400, "container_ref"),
        (
            {"enable": True, "container_ref": str(uuid.uuid4()), "mode": "x"},
            400,
            "mode",
        ),
        ({"disable": True}, 501, "basic"),
        ({"rollback": True}, 400, "return to"),
        ({"rollback": True, "mode": "basic"}, 400, "besides"),
        ({"enable": True, "key": "x"}, 400, "not known"),
    ],
)
def test_what_cannot_be_asked_is_said(world, certified, keys, said, status, words, xml):
    answer = ask(world, certified, keys, said, xml=xml)
    assert (answer.status_int, words in answer.text) == (status, True), answer.text
    assert keys.asked == [] and accepted(world, certified) == []


@pytest.mark.parametrize(
    "reference",
    [
        "http://127.0.0.1:9/v1/secrets/{id}",
        "http://keys.example.org/key-manager/v1/secrets/{id}",
        "https://{host}/key-manager/v1/secrets/{id}",
        "http://{host}/other/v1/secrets/{id}",
        "http://{host}/key-manager/../key-manager/v1/secrets/{id}",
        "http://{host}/key-manager/v1/secrets/{id}/../{id}",
        "http://{host}/key-manager/v1/secrets/{id}?x=y",
        "http://{host}/key-manager/v1/secrets/{id}#x",
        "http://{host}/key-manager/v1/containers/{id}",
        "http://{host}/key-manager/v1/secrets/%2e%2e",
        "http://u:p@{host}/key-manager/v1/secrets/{id}",
        "http://{host}@169.254.169.254/key-manager/v1/secrets/{id}",
        "http://0x7f000001:{port}/key-manager/v1/secrets/{id}",
        "http://2130706433:{port}/key-manager/v1/secrets/{id}",
        "http://[::ffff:127.0.0.1]:{port}/key-manager/v1/secrets/{id}",
        "http://[::1/v1/secrets/{id}",
        "http://127.0.0.1:99999/v1/secrets/{id}",
        "file:///etc/passwd",
        "//{host}/key-manager/v1/secrets/{id}",
        "not an address",
        "{id}\n",
        "{id}/payload",
    ],
)
@pytest.mark.parametrize("which", ["container_ref", "password_ref"])
def test_an_address_that_is_not_the_catalogues_is_not_asked(
    world, certified, keys, reference, which
):
    """S17: the token goes to the catalogue's key manager, and nowhere else."""
    host = keys.url.removeprefix("http://")
    good = str(uuid.uuid4())
    bad = reference.format(id=good, host=host, port=host.partition(":")[2])
    said = {"enable": True, "container_ref": good, which: bad}
    answer = ask(world, certified, keys, said)
    assert answer.status_int == 400, answer.text
    assert which in answer.text and keys.asked == []


def test_any_of_the_catalogues_addresses_may_be_named_and_one_is_asked(
    world, certified, keys
):
    id = keys.store(AUTHORITY.server().pkcs12()).rpartition("/")[2]
    keys.asked.clear()
    for reference in (
        id,
        id.upper(),
        f"https://internal.example.org/v1/secrets/{id}",
        f"https://INTERNAL.example.org:443/v1/secrets/{id}/",
        f"{keys.endpoint}/v1/secrets/{id}",
    ):
        catalogue = keys.catalogue(internalURL="https://internal.example.org/v1")
        answer = ask(
            world,
            certified,
            keys,
            {"enable": True, "container_ref": reference},
            headers={"X-Service-Catalog": catalogue},
            query="?dry_run=1",
        )
        assert answer.status_int == 200, answer.text
    assert set(keys.asked) == {
        (f"GET /key-manager/v1/secrets/{id}/payload", f"{DEMO}/member")
    }


@pytest.mark.parametrize(
    "catalogue", ["[]", '[{"type": "key-manager", "endpoints": []}]']
)
def test_a_cloud_without_a_key_manager(world, certified, keys, catalogue):
    said = {"enable": True, "container_ref": str(uuid.uuid4())}
    headers = {"X-Service-Catalog": catalogue}
    answer = ask(world, certified, keys, said, headers=headers)
    assert (answer.status_int, "key manager" in answer.text) == (501, True)


def test_a_secret_that_is_not_there_or_anothers(world, certified, keys):
    theirs = keys.store(AUTHORITY.server().pkcs12(), project=OTHER)
    for reference in (str(uuid.uuid4()), theirs):
        answer = ask(
            world, certified, keys, {"enable": True, "container_ref": reference}
        )
        assert (answer.status_int, "no secret" in answer.text) == (400, True)
    assert accepted(world, certified) == []


@pytest.mark.parametrize(
    "status, headers, body, expected",
    [
        ("302 Found", [("Location", "http://169.254.169.254/")], b"", 502),
        ("500 Internal Server Error", [], b"", 502),
        ("406 Not Acceptable", [], b"", 400),
        ("401 Unauthorized", [], b"", 400),
        ("200 OK", [], b"x" * 70_000, 400),
        ("200 OK", [("Content-Encoding", "gzip")], None, 400),
        ("200 OK", [], b"", 400),
    ],
)
def test_a_key_manager_that_answers_otherwise(
    world, certified, keys, status, headers, body, expected
):
    """No redirect is followed, and no giant is swallowed, packed or not."""
    if body is None:
        import gzip

        body = gzip.compress(b"x" * 10_000_000)

    def answers(environ, start):
        start(status, [("Content-Length", str(len(body))), *headers])
        return [body]

    keys.answers = answers
    said = {"enable": True, "container_ref": str(uuid.uuid4())}
    answer = ask(world, certified, keys, said)
    assert answer.status_int == expected, answer.text
    assert len(keys.asked) == 1


def test_a_key_manager_that_is_not_there(world, certified, keys):
    catalogue = keys.catalogue(publicURL="http://127.0.0.1:9")
    said = {"enable": True, "container_ref": str(uuid.uuid4())}
    headers = {"X-Service-Catalog": catalogue}
    assert ask(world, certified, keys, said, headers=headers).status_int == 503


# -- what is brought ----------------------------------------------------------------


def weak():
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is what is refused
    return AUTHORITY.server(key=key)


def old():
    """By openssl: our own library signs nothing with SHA-1 any more."""
    words = ["openssl", "req", "-x509", "-sha1", "-newkey", "rsa:2048", "-nodes"]
    words += ["-subj", "/CN=old", "-keyout", "/dev/stdout"]
    pem = subprocess.run(words, capture_output=True, check=True).stdout
    made = subprocess.run(
        ["openssl", "pkcs12", "-export", "-passout", "pass:"],
        input=pem,
        capture_output=True,
        check=True,
    )
    return made.stdout


BAD = {
    "not meant for a server": lambda: AUTHORITY.client(),
    "ended on": lambda: AUTHORITY.server(begins=-9, days=-1),
    "begins on": lambda: AUTHORITY.server(begins=2, days=9),
    "its key must be": weak,
    "issued it is missing": lambda: AUTHORITY.server().pkcs12(chain=[]),
    "which nobody believes": old,
    "cannot be used": lambda: b"no PKCS#12",
}


@pytest.mark.parametrize("words", BAD)
def test_a_certificate_that_would_not_do_is_refused_at_once(
    world, certified, keys, words
):
    answer = bring(world, certified, keys, BAD[words]())
    assert (answer.status_int, words in answer.text) == (400, True), answer.text
    assert accepted(world, certified) == []


def test_a_wrong_password_and_a_missing_one(world, certified, keys):
    data = AUTHORITY.server().pkcs12(PASSWORD)
    for password in ("another", None):
        answer = bring(world, certified, keys, data, password)
        assert (answer.status_int, "password" in answer.text) == (400, True)


def test_for_mtls_the_root_must_be_there(world, certified, keys):
    second = Authority("second", below=AUTHORITY)
    made = second.server()
    half = made.pkcs12(chain=[second.certificate])
    answer = bring(world, certified, keys, half, mode="mtls")
    assert (answer.status_int, "authority" in answer.text) == (400, True)
    assert bring(world, certified, keys, half, mode="enforced").status_int == 200
    world.finish(certified)
    assert bring(world, certified, keys, made, mode="mtls").status_int == 200


@pytest.mark.parametrize("mode", ["basic", "enforced", "mtls", None])
def test_what_is_brought_becomes_an_operation(world, certified, keys, mode):
    made = AUTHORITY.server(addresses=["10.1.0.9"])
    about = {} if mode is None else {"mode": mode}
    answer = bring(world, certified, keys, made, PASSWORD, **about)
    assert answer.status_int == 200, answer.text
    assert set(answer.json["ssl"]) >= {"status", "mode", "restart_required"}
    (operation,) = accepted(world, certified)
    asked = operations.ChangeSsl.from_dict(operation.input)
    assert asked.pair == made.pair and not asked.back
    assert asked.ca == AUTHORITY.pem
    assert asked.mode == (mode or "enforced")
    assert world.rung[-1] == operation.id
    with world.database.reading() as tx:
        assert tx.get_one(Instance, certified).task == Task.UPDATING


def test_an_address_that_it_does_not_name_is_told(world, certified, keys):
    bring(world, certified, keys, AUTHORITY.server(addresses=["10.1.0.9"]))
    events = world.ask("GET", f"instances/{certified}/events").json["events"]
    (told,) = [e for e in events if e["type"] == "instance.ssl.certificate"]
    assert "10.1.0.7" in json.dumps(told)


def test_its_end_is_known_from_then_on_and_not_that_it_serves(world, certified, keys):
    made = AUTHORITY.server()
    reference = keys.store(made.pkcs12())
    said = {"enable": True, "container_ref": reference}
    ask(world, certified, keys, said, query="?dry_run=1")
    assert known(world, certified) == []
    ask(world, certified, keys, said)
    world.finish(certified)
    ask(world, certified, keys, said)
    (row,) = known(world, certified)
    ends = made.certificate.not_valid_after_utc.timestamp()
    assert (row.ends, row.in_force, row.told) == (ends, False, None)
    assert row.fingerprint == made.certificate.fingerprint(hashes.SHA256()).hex()


def known(world, id):
    with world.database.reading() as tx:
        mine = BroughtCertificate.instance_id == id
        return list(tx.scalars(sa.select(BroughtCertificate).where(mine)))


def test_one_that_is_busy_or_not_ready_and_anothers(world, certified, keys):
    assert bring(world, certified, keys).status_int == 200
    for said in (
        {"enable": True, "container_ref": str(uuid.uuid4())},
        {"rollback": True},
    ):
        answer = ask(world, certified, keys, said)
        assert answer.status_int == 422, answer.text
    assert len(accepted(world, certified)) == 1
    building = world.created()
    assert bring(world, building, keys).status_int == 422
    theirs = world.active("stranger")
    assert bring(world, theirs, keys).status_int == 404


def test_a_datastore_may_know_no_port_that_takes_both(world, certified, keys):
    """Some speak TLS from the first byte, or never."""
    with world.database.transaction() as tx:
        tx.execute(sa.update(DatastoreVersion).values(manager="valkey"))
    answer = bring(world, certified, keys, mode="basic")
    assert answer.status_int == 501, answer.text
    assert "does not support connections without TLS" in answer.text
    assert accepted(world, certified) == []
    for mode, id in (("enforced", certified), ("mtls", world.active())):
        assert bring(world, id, keys, mode=mode).status_int == 200


def test_in_xml(world, certified, keys):
    reference = keys.store(AUTHORITY.server().pkcs12())
    said = {"enable": True, "mode": "basic", "container_ref": reference}
    answer = ask(world, certified, keys, said, xml=True)
    assert answer.status_int == 200, answer.text
    assert re.search(rb'<ssl[^>]* restart_required="[fF]alse"', answer.body)
    (operation,) = accepted(world, certified)
    assert operation.input["mode"] == "basic"


def test_a_rehearsal_looks_and_does_nothing(world, certified, keys):
    reference = keys.store(AUTHORITY.server().pkcs12())
    good = {"enable": True, "container_ref": reference}
    answer = ask(world, certified, keys, good, query="?dry_run=1")
    assert answer.json["dry_run"]["operations"] == [
        {"type": "instance.ssl", "outage": "none", "instance_id": certified}
    ]
    bad = {"enable": True, "container_ref": keys.store(b"nonsense")}
    assert ask(world, certified, keys, bad, query="?dry_run=1").status_int == 400
    assert accepted(world, certified) == []


def test_the_same_request_again_is_the_same_operation(world, certified, keys):
    """Also when its secret is gone by then."""
    reference = keys.store(AUTHORITY.server().pkcs12())
    said = {"enable": True, "container_ref": reference}
    headers = {"Idempotency-Key": "k"}
    first = ask(world, certified, keys, said, headers=headers)
    keys.answers = lambda environ, start: pytest.fail("it is read again")
    again = ask(world, certified, keys, said, headers=headers)
    assert first.json == again.json and again.status_int == 200
    assert len(accepted(world, certified)) == 1
    other = ask(world, certified, keys, {"rollback": True}, headers=headers)
    assert other.status_int == 409


def test_a_step_back(world, certified, keys):
    world.desks.brought[certified] = "mtls"
    assert ask(world, certified, keys, {"rollback": True}).status_int == 200
    (operation,) = accepted(world, certified)
    assert operations.ChangeSsl.from_dict(operation.input).back


@pytest.mark.parametrize(
    "state, fault, status", [("done", None, 200), ("failed", "it is bad", 422)]
)
def test_the_caller_hears_how_it_ended(tmp_path, keys, state, fault, status):
    (tmp_path / "w").mkdir()
    world = World(tmp_path / "w", patience=20.0)
    id = world.active()

    def end(rung):
        with world.database.transaction() as tx:
            row = tx.scalars(sa.select(Operation).where(Operation.id == rung)).one()
            row.state, row.fault, row.lock_key = OperationState(state), fault, None
            tx.get_one(Instance, id).task = Task.NONE

    world.services._doorbell = lambda rung: threading.Thread(
        target=end, args=(rung,)
    ).start()
    answer = bring(world, id, keys)
    assert answer.status_int == status, answer.text
    assert (fault or "status") in answer.text
    world.close()


@pytest.mark.parametrize("xml", [False, True])
def test_neither_key_nor_password_is_anywhere(world, certified, keys, caplog, xml):
    """S1, INV-17: whatever becomes of it; and the token is in no row either."""
    caplog.set_level(logging.DEBUG)
    made, seen = AUTHORITY.server(), []
    bad = AUTHORITY.server(begins=-9, days=-1)
    token = "canary-token-8d1f"
    for one in (made, bad):
        reference = keys.store(one.pkcs12(PASSWORD), project=token)
        password = keys.store(PASSWORD.encode(), project=token, text=True)
        said = {"enable": True, "container_ref": reference, "password_ref": password}
        headers = {"X-Auth-Token": f"{token}/member"}
        seen.append(ask(world, certified, keys, said, headers=headers, xml=xml))
    assert [answer.status_int for answer in seen][0] == 200
    secrets = [PASSWORD, token]
    for one in (made, bad):
        body = "".join(one.key_pem.splitlines()[1:-1])
        secrets += [body[20:60], base64.b64encode(body.encode()).decode()[20:60]]
    everywhere = [_dump(world), json.dumps(world.desks.said)]
    everywhere += [answer.text for answer in seen]
    for secret in secrets:
        assert not [text for text in everywhere if secret in text]
    told = _told(caplog)
    assert not [secret for secret in secrets if secret in told]
