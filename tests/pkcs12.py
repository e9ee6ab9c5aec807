# SPDX-License-Identifier: Apache-2.0
"""Certificates that a user would bring: his own authority's, of servers and clients."""

import dataclasses
import datetime
import ipaddress
import typing

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Any = typing.Any


@dataclasses.dataclass
class Made:
    """A certificate, its key, and those of its issuers that came with it."""

    key: Any
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def serial(self) -> str:
        return f"{self.certificate.serial_number:x}"

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    @property
    def pem(self) -> str:
        """The certificate, and then the chain."""
        return "".join(
            one.public_bytes(serialization.Encoding.PEM).decode()
            for one in (self.certificate, *self.chain)
        )

    @property
    def pair(self) -> str:
        """As an engine has it."""
        return self.key_pem + self.pem

    def pkcs12(self, password: str | None = None, **other: Any) -> bytes:
        """The file. ``key`` and ``chain`` put others in."""
        how: Any = serialization.NoEncryption()
        if password is not None:
            how = serialization.BestAvailableEncryption(password.encode())
        return pkcs12.serialize_key_and_certificates(
            b"db",
            other.get("key", self.key),
            self.certificate,
            list(other.get("chain", self.chain)),
            how,
        )


class Authority:
    """A root, and a second authority below it if that is wanted."""

    def __init__(self, name: str = "A user's root", below: "Authority | None" = None):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.above = below
        subject = _name(name)
        signs, issuer = (
            (below.key, below.certificate.subject) if below else (None, None)
        )
        self.certificate = (
            _builder(subject, issuer or subject, self.key.public_key(), -1, 30)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
            .sign(signs or self.key, hashes.SHA256())
        )

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """Itself, and what is above it."""
        return (self.certificate, *(self.above.chain if self.above else ()))

    def server(self, name: str = "db.example.org", **how: Any) -> Made:
        """A server's. Of ``how``: key, begins, days, uses, addresses, hash."""
        key = how.get("key") or ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(name), *how.get("names", ())]
        for address in how.get("addresses", ("127.0.0.1",)):
            names.append(x509.IPAddress(ipaddress.ip_address(address)))
        uses = how.get("uses", [ExtendedKeyUsageOID.SERVER_AUTH])
        builder = _builder(
            _name(name),
            self.certificate.subject,
            key.public_key(),
            how.get("begins", -1),
            how.get("days", 20),
        ).add_extension(x509.SubjectAlternativeName(names), critical=False)
        if uses:
            builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        made = builder.sign(self.key, how.get("hash", hashes.SHA256()))
        return Made(key, made, self.chain)

    def client(self, name: str = "ann") -> Made:
        """A client's."""
        return self.server(name, uses=[ExtendedKeyUsageOID.CLIENT_AUTH], addresses=())


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Any, begins: float, days: float
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=begins))
        .not_valid_after(now + datetime.timedelta(days=days))
    )
