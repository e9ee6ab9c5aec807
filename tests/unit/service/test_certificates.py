# SPDX-License-Identifier: Apache-2.0
"""The deployment's CA: it decides everything of a certificate but its key."""

import datetime
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509 import verification

from trove import errors
from trove.service import certificates
from trove.service.certificates import Authority


@pytest.fixture(scope="module", name="authority")
def deployment_authority(tmp_path_factory):
    return Authority.create(tmp_path_factory.mktemp("pki"))


def request(key, *, name="evil", extensions=()):
    subject = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, digest).public_bytes(serialization.Encoding.PEM).decode()


def read(pem):
    return x509.load_pem_x509_certificate(pem.encode())


def names_of(certificate):
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return sorted(str(name.value) for name in found.value)


def test_only_the_public_key_of_a_request_counts(authority):
    key = ec.generate_private_key(ec.SECP256R1())
    wishes = (
        x509.SubjectAlternativeName([x509.DNSName("api.example")]),
        x509.BasicConstraints(ca=True, path_length=None),
        x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CODE_SIGNING]),
    )
    pem, serial, expires = authority.issue_for_guest(
        request(key, extensions=wishes), "i-1", ["db.example"], ["192.0.2.7"]
    )
    certificate = read(pem)
    assert certificate.public_key() == key.public_key()
    assert names_of(certificate) == ["192.0.2.7", "db.example", "trove:guest:i-1"]
    assert "evil" not in certificate.subject.rfc4514_string()
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.value.ca is False
    uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert {use._name for use in uses} == {"serverAuth", "clientAuth"}
    assert serial == f"{certificate.serial_number:x}"
    assert expires == certificate.not_valid_after_utc
    days = expires - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(days=89) < days <= datetime.timedelta(days=90)


def test_clients_verify_it_against_the_ca(authority):
    pem, _key = authority.server_certificate(["broker.example"], ["192.0.2.1"])
    store = verification.Store(
        [x509.load_pem_x509_certificate(authority.ca_pem.encode())]
    )
    verifier = verification.PolicyBuilder().store(store)
    subject = x509.DNSName("broker.example")
    assert verifier.build_server_verifier(subject).verify(read(pem), [])
    with pytest.raises(verification.VerificationError):
        other = x509.DNSName("elsewhere.example")
        verifier.build_server_verifier(other).verify(read(pem), [])


def test_a_guest_asks_with_a_key_that_stays_with_it(authority):
    key, csr = certificates.server_key_and_request()
    pem, _serial, _expires = authority.issue_for_guest(csr, "i-1")
    private = serialization.load_pem_private_key(key.encode(), None)
    assert read(pem).public_key() == private.public_key()


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate,
    ],
)
def test_strong_keys_of_every_kind_are_taken(authority, make):
    assert authority.issue(request(make()), ["a.example"])


@pytest.mark.parametrize(
    "make",
    [
        lambda: rsa.generate_private_key(65537, 1024),  # noqa: S505
        lambda: rsa.generate_private_key(3, 2048),
        lambda: dsa.generate_private_key(2048),
        lambda: ec.generate_private_key(ec.SECP224R1()),
    ],
)
def test_weak_keys_are_not(authority, make):
    with pytest.raises(errors.Invalid, match="too weak"):
        authority.issue(request(make()), ["a.example"])


@pytest.mark.parametrize("junk", ["", "junk", "é", "x" * 100_000])
def test_junk_is_invalid(authority, junk):
    with pytest.raises(errors.Invalid):
        authority.issue(junk, ["a.example"])


def test_a_request_for_somebody_elses_key_is_refused(authority):
    csr = request(ec.generate_private_key(ec.SECP256R1()))
    der = bytearray(
        x509.load_pem_x509_csr(csr.encode()).public_bytes(serialization.Encoding.DER)
    )
    der[-1] ^= 1
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(errors.Invalid, match="not signed"):
        authority.issue(forged.decode(), ["a.example"])


def test_a_certificate_for_nobody_is_not_made(authority):
    _key, csr = certificates.server_key_and_request()
    with pytest.raises(errors.Invalid, match="needs a name"):
        authority.issue(csr, [])


def test_the_authority_is_made_once_and_its_key_is_root_s(tmp_path):
    made = Authority.create(tmp_path / "pki")
    again = Authority.create(tmp_path / "pki")
    assert made.ca_pem == again.ca_pem == Authority.load(tmp_path / "pki").ca_pem
    mode = (tmp_path / "pki" / certificates.KEY).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert Authority.create(tmp_path / "other").ca_pem != made.ca_pem
    assert sorted(path.name for path in (tmp_path / "pki").iterdir()) == [
        "ca.key",
        "ca.pem",
    ]


def test_an_authority_of_two_halves_is_none(tmp_path):
    for name in "ab":
        Authority.create(tmp_path / name)
    with pytest.raises(errors.Invalid, match="no authority"):
        Authority.load(tmp_path)
    (tmp_path / "a" / "ca.key").replace(tmp_path / "b" / "ca.key")
    with pytest.raises(errors.Invalid, match="not whole"):
        Authority.load(tmp_path / "b")


def test_no_certificate_outlives_its_authority(tmp_path, monkeypatch):
    monkeypatch.setattr(certificates, "AUTHORITY_DAYS", 30)
    young = Authority.create(tmp_path / "pki")
    pem, _serial, expires = young.issue_for_guest(
        request(ec.generate_private_key(ec.SECP256R1())), "i", days=90
    )
    assert expires == read(young.ca_pem).not_valid_after_utc
    assert read(pem).not_valid_after_utc == expires


def test_an_authority_that_ended_issues_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(certificates, "AUTHORITY_DAYS", 0)
    dead = Authority.create(tmp_path / "pki")
    with pytest.raises(errors.Invalid, match="ended"):
        dead.issue_for_guest(request(ec.generate_private_key(ec.SECP256R1())), "i")
