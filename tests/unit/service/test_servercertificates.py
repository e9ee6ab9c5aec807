# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/service/servercertificates.py: what no engine could serve with."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from tests.pkcs12 import Authority, Made
from trove.service.servercertificates import LONGEST, Refused, checked

ROOT = Authority()
SECOND = Authority("second", below=ROOT)


def check(made, *, clients=False, key=None, others=None):
    texts = [Made(None, one).pem for one in (made.chain if others is None else others)]
    own = Made(None, made.certificate).pem
    return checked(key or made.key_pem, [own, *texts], clients=clients)


def test_the_chain_is_put_in_order_and_strangers_are_left_out():
    made, stranger = SECOND.server(), Authority("a stranger")
    others = [*reversed(made.chain), stranger.certificate]
    found = check(made, others=others, clients=True)
    assert found.pair == made.pair
    assert found.ca == SECOND.pem + ROOT.pem


def test_one_that_signed_itself_is_its_own_authority():
    made = Made(ROOT.key, ROOT.certificate)
    found = check(made, clients=True)
    assert found.ca == made.pem and found.pair == made.pair


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
)
def test_strong_keys(key):
    assert check(ROOT.server(key=key)).said.name == "db.example.org"


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP192R1()),
        dsa.generate_private_key(2048),
        rsa.generate_private_key(3, 2048),
    ],
)
def test_weak_keys(key):
    with pytest.raises(Refused, match="its key must be"):
        check(ROOT.server(key=key))


def test_another_certificates_key():
    with pytest.raises(Refused, match="another certificate's"):
        check(ROOT.server(), key=ROOT.server().key_pem)


def test_what_issued_it_must_be_an_authority():
    false = ROOT.server("false")
    made = Authority.__new__(Authority)
    made.key, made.certificate, made.above = false.key, false.certificate, ROOT
    with pytest.raises(Refused, match="no authority"):
        check(made.server())


def test_an_authority_that_has_ended():
    ended = Authority("ended")
    ended.certificate = ROOT.server(
        "ended", key=ended.key, begins=-9, days=-1
    ).certificate
    ended.above = ROOT
    with pytest.raises(Refused, match="an authority's certificate .* has ended"):
        check(ended.server())


def test_one_that_is_too_long():
    names = [x509.DNSName(f"{n}.{'a' * 60}.example.org") for n in range(600)]
    made = ROOT.server(addresses=(), names=names)
    with pytest.raises(Refused, match="too long"):
        check(made)
    assert len(made.pem) > LONGEST


@pytest.mark.parametrize("key, others", [("no key", None), (None, [])])
def test_what_cannot_be_read(key, others):
    with pytest.raises(Refused):
        check(ROOT.server(), key=key, others=others)


def test_what_is_told_of_it_is_no_secret_and_says_whom_it_leaves_out():
    found = check(ROOT.server(addresses=["10.0.0.1"]))
    told = found.told(["10.0.0.1", "10.0.0.2"])
    assert told["not_named"] == ["10.0.0.2"]
    assert told["san"] == ["db.example.org", "10.0.0.1"]
    assert "PRIVATE" not in repr(found) + repr(told)
