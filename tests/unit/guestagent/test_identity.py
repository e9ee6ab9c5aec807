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


def test_it_is_made_once_and_found_again(places, host):
    first = identity.ensure(places, host, INSTANCE)
    assert identity.ensure(places, host, INSTANCE) == first
    assert identity.load(places) == first
    assert not first.enrolled
    for path in (places.identity, places.tls / identity.KEY):
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
    identity._make_server_key(places, host, INSTANCE)
    made = identity.ensure(places, host, INSTANCE)
    assert identity.load(places) == made


def test_a_certificate_for_our_key_is_kept(places, host, authority):
    made = identity.ensure(places, host, INSTANCE)
    certificate = authority.sign(identity.csr(places))
    kept = identity.keep_certificate(places, host, made, certificate, authority.ca)
    assert kept.enrolled
    assert identity.load(places) == kept
    assert identity.certificate_expires(places, host).endswith("+00:00")


def test_a_certificate_for_another_key_is_refused(places, host, authority):
    made = identity.ensure(places, host, INSTANCE)
    first = authority.sign(identity.csr(places))
    again = identity.ensure(places, host, "another")
    with pytest.raises(identity.NoIdentity, match="another key"):
        identity.keep_certificate(places, host, again, first, authority.ca)
    assert not identity.load(places).enrolled
    assert identity.certificate_expires(places, host) is None
    assert made.instance == INSTANCE


def test_a_certificate_of_another_authority_is_refused(
    places, host, authority, tmp_path
):
    made = identity.ensure(places, host, INSTANCE)
    certificate = authority.sign(identity.csr(places))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = type(authority)(elsewhere, host)
    with pytest.raises(HostError):
        identity.keep_certificate(places, host, made, certificate, other.ca)
    assert not identity.load(places).enrolled


def test_the_engine_may_read_its_copies_and_not_write_them(guest, places, host):
    if os.geteuid() != 0:
        pytest.skip("needs root: files of another user's group")
    tls = identity.hand_out(places, host, "nobody")
    group = grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_gid
    for path in (tls.certificate, tls.key, tls.ca):
        found = os.stat(path)
        assert (found.st_uid, found.st_gid) == (0, group)
        assert found.st_mode & 0o777 == 0o640
    directory = os.stat(places.engine_tls)
    assert (directory.st_uid, directory.st_mode & 0o777) == (0, 0o750)
    assert identity.hand_out(places, host, "nobody") == tls
