# SPDX-License-Identifier: Apache-2.0
"""The deployment's certificate authority: the broker's and the guests' certificates.

Of a request only the public key is believed. Names, addresses, uses and dates are the
caller's to decide, because a request comes from a guest and may ask for anything.
"""

import datetime
import ipaddress
import os
import pathlib
import typing

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import oid

from trove import errors

CERTIFICATE = "ca.pem"
KEY = "ca.key"

DAYS = 90
"""Of a certificate's life, unless somebody says otherwise."""
AUTHORITY_DAYS = 3650
SKEW = datetime.timedelta(minutes=5)
"""A guest's clock may be this much behind ours on its first day."""

_RSA_BITS = 2048
_REQUEST = 16 * 1024

Key = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
Issued = tuple[str, str, datetime.datetime]


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def server_key_and_request() -> tuple[str, str]:
    """A new private key and a request for it, PEM: the asking side."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .sign(key, hashes.SHA256())
    )
    return _private(key), request.public_bytes(serialization.Encoding.PEM).decode()


class Authority:
    """A CA in a directory: its certificate, and its key that only root may read."""

    def __init__(
        self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def create(cls, directory: pathlib.Path, name: str = "Trove") -> "Authority":
        """Make the deployment's CA in ``directory``; one that is there is kept."""
        directory.mkdir(parents=True, exist_ok=True)
        if (directory / KEY).exists() and (directory / CERTIFICATE).exists():
            return cls.load(directory)
        key = ec.generate_private_key(ec.SECP256R1())
        # Two deployments' authorities must not look like one to whoever trusts both.
        title = f"{name} deployment CA {x509.random_serial_number():x}"[:64]
        subject = x509.Name([x509.NameAttribute(oid.NameOID.COMMON_NAME, title)])
        builder = (
            _builder(subject, subject, key.public_key(), _after(AUTHORITY_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
        )
        authority = cls(builder.sign(key, hashes.SHA256()), key)
        # The key first: a certificate without its key would look like a whole CA.
        _write(directory / KEY, _private(key), 0o600)
        _write(directory / CERTIFICATE, authority.ca_pem, 0o644)
        return authority

    @classmethod
    def load(cls, directory: pathlib.Path) -> "Authority":
        """The CA that ``create`` made there; ``errors.Invalid`` if it is none."""
        try:
            key = serialization.load_pem_private_key(
                (directory / KEY).read_bytes(), password=None
            )
            certificate = x509.load_pem_x509_certificate(
                (directory / CERTIFICATE).read_bytes()
            )
        except (OSError, ValueError) as error:
            raise errors.Invalid(why=f"no authority in {directory}: {error}") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or (
            certificate.public_key() != key.public_key()
        ):
            raise errors.Invalid(why=f"the authority in {directory} is not whole")
        return cls(certificate, key)

    @property
    def ca_pem(self) -> str:
        """What clients must trust."""
        return _pem(self._certificate)

    def issue(
        self,
        csr_pem: str,
        names: typing.Sequence[str],
        addresses: typing.Sequence[str] = (),
        days: float = DAYS,
        *,
        uris: typing.Sequence[str] = (),
        client: bool = False,
    ) -> Issued:
        """A server certificate for the key of ``csr_pem``: (PEM, serial, expires)."""
        return self._issue(_key_of(csr_pem), names, addresses, days, uris, client)

    def issue_for_guest(
        self,
        csr_pem: str,
        instance: str,
        names: typing.Sequence[str] = (),
        addresses: typing.Sequence[str] = (),
        days: float = DAYS,
    ) -> Issued:
        """A guest's: good for its server, and for it as a client of other guests."""
        return self.issue(
            csr_pem,
            names,
            addresses,
            days,
            uris=[f"trove:guest:{instance}"],
            client=True,
        )

    def server_certificate(
        self,
        names: typing.Sequence[str],
        addresses: typing.Sequence[str] = (),
        days: float = DAYS,
    ) -> tuple[str, str]:
        """A new key and its certificate for a server of our own: (certificate, key)."""
        key = ec.generate_private_key(ec.SECP256R1())
        issued = self._issue(key.public_key(), names, addresses, days, (), False)
        return issued[0], _private(key)

    def _end(self, days: float) -> datetime.datetime:
        """Not after our own end: what outlives its authority is believed by nobody."""
        ours = self._certificate.not_valid_after_utc
        if ours <= _now():
            raise errors.Invalid(why=f"the authority's certificate ended on {ours}")
        return min(_after(days), ours)

    def _issue(
        self,
        key: Key,
        names: typing.Sequence[str],
        addresses: typing.Sequence[str],
        days: float,
        uris: typing.Sequence[str],
        client: bool,
    ) -> Issued:
        alternatives: list[x509.GeneralName] = [
            *(x509.DNSName(name) for name in names),
            *(x509.IPAddress(ipaddress.ip_address(one)) for one in addresses),
            *(x509.UniformResourceIdentifier(uri) for uri in uris),
        ]
        if not alternatives:
            raise errors.Invalid(why="a certificate needs a name")
        uses = [oid.ExtendedKeyUsageOID.SERVER_AUTH]
        if client:
            uses.append(oid.ExtendedKeyUsageOID.CLIENT_AUTH)
        # For the eyes of old programs and of people; what counts are the names below.
        title = [*names, *addresses, *uris][0][:64]
        subject = x509.Name([x509.NameAttribute(oid.NameOID.COMMON_NAME, title)])
        issuer = self._certificate.subject
        ours = self._certificate.extensions.get_extension_for_class(
            x509.SubjectKeyIdentifier
        )
        certificate = (
            _builder(subject, issuer, key, self._end(days))
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                    ours.value
                ),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        serial = f"{certificate.serial_number:x}"
        return _pem(certificate), serial, certificate.not_valid_after_utc


def _after(days: float) -> datetime.datetime:
    return _now() + datetime.timedelta(days=days)


def _key_of(csr_pem: str) -> Key:
    """The public key of a request, if its sender has the private one."""
    if len(csr_pem) > _REQUEST:
        raise errors.Invalid(why="the certificate request is too large")
    try:
        request = x509.load_pem_x509_csr(csr_pem.encode())
        signed = request.is_signature_valid
        key = request.public_key()
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm):
        raise errors.Invalid(why="the certificate request cannot be read") from None
    if not signed:
        raise errors.Invalid(why="the certificate request is not signed by its key")
    if isinstance(key, ec.EllipticCurvePublicKey):
        strong = isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1)
    elif isinstance(key, rsa.RSAPublicKey):
        strong = (
            _RSA_BITS <= key.key_size <= 4 * _RSA_BITS and key.public_numbers().e > 3
        )
    else:
        strong = isinstance(key, ed25519.Ed25519PublicKey)
    if not strong:
        raise errors.Invalid(why="the key of the certificate request is too weak")
    return typing.cast(Key, key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, ends: datetime.datetime
) -> x509.CertificateBuilder:
    now = _now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def _write(path: pathlib.Path, text: str, mode: int) -> None:
    """Never readable by others, not for an instant; whole, or not there."""
    half = path.with_name(f".{path.name}.new")
    half.unlink(missing_ok=True)
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    half.rename(path)
