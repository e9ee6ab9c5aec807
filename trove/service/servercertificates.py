# SPDX-License-Identifier: Apache-2.0
"""What a certificate must be that a user brings for his database's server.

Everything that an engine or a client would stumble over later is said at once. Which
names are in it is his affair: he knows by which one he comes.
"""

import dataclasses
import datetime
import ipaddress
import typing

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Uses

from trove import errors

RSA_BITS = (2048, 8192)
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
WEAK = (hashes.MD5, hashes.SHA1)
SKEW = datetime.timedelta(minutes=5)
"""A guest's clock may be this much behind ours."""
LONGEST = 32 * 1024
"""Characters of a certificate and its chain."""
MOST_TOLD = 20
"""Names in one event."""


class Refused(errors.Invalid):
    """The certificate would not do."""

    sentence = "The certificate cannot be used: {why}."


@dataclasses.dataclass(frozen=True, slots=True)
class Named:
    """A certificate: its common name, its end, whom it is for."""

    name: str | None
    expires: float
    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Checked:
    """``pair``: key, certificate and chain in one text. ``ca``: those that issued it,
    whose clients' certificates are believed. ``said``: what may be told of it.
    ``fingerprint``: its SHA-256, in hex."""

    pair: str = dataclasses.field(repr=False)
    ca: str
    said: Named
    fingerprint: str

    def told(self, addresses: typing.Iterable[str]) -> dict[str, typing.Any]:
        """For an event; also which of the server's addresses it does not name: a client
        that comes by one of those, and looks, turns away."""
        ends = datetime.datetime.fromtimestamp(self.said.expires, datetime.UTC)
        names = list(self.said.names[:MOST_TOLD])
        return {
            "cn": self.said.name,
            "expires": ends.isoformat(),
            "san": names,
            "not_named": [each for each in addresses if each not in self.said.names],
        }


def named(certificate: x509.Certificate) -> Named:
    """What a certificate says of itself."""
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return Named(
        str(common[0].value) if common else None,
        certificate.not_valid_after_utc.timestamp(),
        _names(certificate),
    )


def checked(key: str, certificates: typing.Sequence[str], *, clients: bool) -> Checked:
    """Raises ``Refused``. ``clients``: theirs are to be verified by its authority."""
    try:
        private = serialization.load_pem_private_key(key.encode(), password=None)
        own, *others = [
            x509.load_pem_x509_certificate(text.encode()) for text in certificates
        ]
        _fits(private, own)
        _serves(own)
        chain = _chain(own, others)
        said = named(own)
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm):
        raise Refused(why="it cannot be read") from None
    if clients and not _issued(chain[-1], chain[-1]):
        raise Refused(
            why="its authority's own certificate is not with it, without which no "
            "client's could be verified"
        )
    texts = [_pem(one) for one in chain]
    if sum(map(len, texts)) > LONGEST:
        raise Refused(why="it and its chain are too long")
    ca = "".join(texts[1:] or texts)
    known = own.fingerprint(hashes.SHA256()).hex()
    return Checked(key + "".join(texts), ca, said, known)


def _fits(private: typing.Any, own: x509.Certificate) -> None:
    """The key is its own, and strong enough."""
    public = private.public_key()
    if public != own.public_key():
        raise Refused(why="the private key is another certificate's")
    if isinstance(public, rsa.RSAPublicKey):
        least, most = RSA_BITS
        strong = least <= public.key_size <= most and public.public_numbers().e > 3
    elif isinstance(public, ec.EllipticCurvePublicKey):
        strong = isinstance(public.curve, CURVES)
    else:
        strong = isinstance(public, ed25519.Ed25519PublicKey)
    if not strong:
        raise Refused(
            why="its key must be RSA of 2048 to 8192 bits, P-256, P-384, P-521 or "
            "Ed25519"
        )


def _serves(own: x509.Certificate) -> None:
    """It is meant for a server."""
    uses = _extension(own, x509.ExtendedKeyUsage)
    if uses is not None and not {Uses.SERVER_AUTH, Uses.ANY_EXTENDED_KEY_USAGE} & set(
        uses
    ):
        raise Refused(why="it is not meant for a server (serverAuth)")
    usage = _extension(own, x509.KeyUsage)
    if usage is not None and not (usage.digital_signature or usage.key_agreement):
        raise Refused(why="its key is not meant to sign (digitalSignature)")


def _chain(
    own: x509.Certificate, others: list[x509.Certificate]
) -> list[x509.Certificate]:
    """From the certificate to the last of its issuers that are there, all good now."""
    chain = [own]
    _good(own, "it")
    left = list(others)
    while not _issued(chain[-1], chain[-1]):
        above = [one for one in left if _issued(chain[-1], one)]
        if not above:
            break
        _good(above[0], "an authority's certificate that is with it")
        basic = _extension(above[0], x509.BasicConstraints)
        if basic is None or not basic.ca:
            raise Refused(why="what issued it is no authority")
        chain.append(above[0])
        left.remove(above[0])
    if len(chain) == 1 and not _issued(own, own):
        raise Refused(why="the certificate of the authority that issued it is missing")
    return chain


def _good(one: x509.Certificate, what: str) -> None:
    now = datetime.datetime.now(datetime.UTC)
    if one.not_valid_after_utc <= now:
        raise Refused(why=f"{what} has ended on {one.not_valid_after_utc:%Y-%m-%d}")
    if one.not_valid_before_utc > now + SKEW:
        raise Refused(why=f"{what} begins on {one.not_valid_before_utc:%Y-%m-%d}")
    if isinstance(one.signature_hash_algorithm, WEAK):
        name = one.signature_hash_algorithm.name.upper()
        raise Refused(why=f"{what} is signed with {name}, which nobody believes")


def _issued(one: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(by)
    except (ValueError, TypeError, exceptions.InvalidSignature):
        return False
    return True


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    said = _extension(certificate, x509.SubjectAlternativeName)
    if said is None:
        return ()
    addresses: list[ipaddress.IPv4Address | typing.Any] = said.get_values_for_type(
        x509.IPAddress
    )
    return (
        *said.get_values_for_type(x509.DNSName),
        *(str(address) for address in addresses),
    )


Value = typing.TypeVar("Value", bound=x509.ExtensionType)


def _extension(certificate: x509.Certificate, kind: type[Value]) -> Value | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
