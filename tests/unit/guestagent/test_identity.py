# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/identity.py: made once, private, and of the right form."""

import grp
import os
import pwd

import pytest

from trove.guestagent import identity
from trove.guestagent.host import HostError
from trove.rpc import sealing

INSTANCE = "11111111-2222-4333-8444-555555555555"


def kept(places, host, authority):
    made = identity.ensure(places, host, INSTANCE)
    certificate = authority.sign(identity.ask(places, host, INSTANCE))
    identity.keep_certificate(places, host, certificate, authority.ca)
    return identity.enrolled(places, made)


def test_it_is_made_once_and_found_again(places, host):
    first = identity.ensure(places, host, INSTANCE)
    assert identity.ensure(places, host, INSTANCE) == first
    assert identity.load(places) == first
    assert not first.enrolled
    request = identity.ask(places, host, INSTANCE)
    assert identity.ask(places, host, INSTANCE) == request
    for path in (places.identity, places.tls / identity.NEXT_KEY):
        assert path.stat().st_mode & 0o777 == 0o600
    assert places.tls.stat().st_mode & 0o777 == 0o700


def test_its_secrets_are_in_no_repr(places, host):
    made = identity.ensure(places, host, INSTANCE)
    assert made.password not in repr(made)
    assert made.private_key not in repr(made)


def test_what_is_sealed_for_it_opens(places, host):
    made = identity.ensure(places, host, INSTANCE)
    sealing.check_public_key(made.public_key)
    sealed = sealing.seal(made.public_key, {"a": "ü"})
    assert sealing.unseal(made.private_key, sealed) == {"a": "ü"}


def test_another_instance_is_another_guest(places, host):
    first = identity.ensure(places, host, INSTANCE)
    second = identity.ensure(places, host, "another")
    assert second.instance == "another"
    assert {first.password, first.private_key}.isdisjoint(
        {second.password, second.private_key}
    )


def test_a_crash_before_it_was_written_down_makes_it_again(places, host):
    identity.ask(places, host, INSTANCE)
    made = identity.ensure(places, host, INSTANCE)
    assert identity.load(places) == made


def test_a_certificate_for_our_key_is_kept(places, host, authority):
    made = kept(places, host, authority)
    assert made.enrolled
    assert identity.load(places) == made
    found = identity.certificate(places, host)
    assert found.begins < found.ends
    assert found.serial
    assert identity.owed(places)
    identity.taken(places)
    assert not identity.owed(places)


def test_key_and_certificate_are_one_file_and_the_request_is_gone(
    places, host, authority
):
    kept(places, host, authority)
    pair = (places.tls / identity.PAIR).read_text()
    assert "PRIVATE KEY" in pair
    assert "BEGIN CERTIFICATE" in pair
    left = {path.name for path in places.tls.iterdir()}
    assert left == {identity.PAIR, identity.CA, identity.OWED}


def test_the_next_certificate_has_another_key(places, host, authority):
    kept(places, host, authority)
    first = (places.tls / identity.PAIR).read_text()
    kept(places, host, authority)
    second = (places.tls / identity.PAIR).read_text()
    assert first.partition("-----END")[0] != second.partition("-----END")[0]


def test_a_certificate_for_another_key_is_refused(places, host, authority):
    kept(places, host, authority)
    before = identity.certificate(places, host)
    stranger = authority.sign(identity.ask(places, host, INSTANCE))
    (places.tls / identity.NEXT_CSR).unlink()
    identity.ask(places, host, INSTANCE)
    with pytest.raises(identity.NoIdentity, match="another key"):
        identity.keep_certificate(places, host, stranger, authority.ca)
    assert identity.certificate(places, host) == before


def test_what_nobody_asked_for_is_refused(places, host, authority):
    with pytest.raises(identity.NoIdentity, match="asked"):
        identity.keep_certificate(places, host, "x", authority.ca)
    assert identity.certificate(places, host) is None


def test_a_certificate_of_another_authority_is_refused(
    places, host, authority, tmp_path
):
    kept(places, host, authority)
    before = identity.certificate(places, host)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = type(authority)(elsewhere, host)
    certificate = authority.sign(identity.ask(places, host, INSTANCE))
    with pytest.raises(HostError):
        identity.keep_certificate(places, host, certificate, other.ca)
    assert identity.certificate(places, host) == before
    assert (places.tls / identity.CA).read_text() == authority.ca


def test_the_engine_may_read_its_copies_and_not_write_them(guest, places, host):
    if os.geteuid() != 0:
        pytest.skip("needs root: files of another user's group")
    tls = identity.hand_out(places, host, "nobody")
    group = grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_gid
    for path in (tls.pair, tls.ca):
        found = os.stat(path)
        assert (found.st_uid, found.st_gid) == (0, group)
        assert found.st_mode & 0o777 == 0o640
    directory = os.stat(places.engine_tls)
    assert (directory.st_uid, directory.st_mode & 0o777) == (0, 0o750)
    assert identity.hand_out(places, host, "nobody") == tls
