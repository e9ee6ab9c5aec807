# SPDX-License-Identifier: Apache-2.0
"""The TLS of an instance: always on, with a certificate of the deployment's authority.

What is shown is the certificate that the guest has, as its agent tells it: its names
are the control plane's choice, and its end is moved before it comes (contract, 14).
"""

import dataclasses

from cryptography import x509

from trove import errors
from trove.actions.accounts import Running

MODE = "enforced"
"""No connection without TLS, and no certificate of a client's is asked for."""


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """A certificate: its common name, its end, whom it is for, and itself (PEM)."""

    name: str | None
    expires: float
    names: tuple[str, ...]
    text: str


def show(running: Running) -> Shown | None:
    """None of a guest that has none yet."""
    text: str | None = running.guest.certificate()
    if text is None:
        return None
    try:
        found = x509.load_pem_x509_certificate(text.encode())
        common = found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return Shown(
            str(common[0].value) if common else None,
            found.not_valid_after_utc.timestamp(),
            _names(found),
            text,
        )
    except ValueError:
        raise errors.Upstream(why="the guest's certificate is none") from None


def _names(found: x509.Certificate) -> tuple[str, ...]:
    try:
        said = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    addresses = said.value.get_values_for_type(x509.IPAddress)
    return (
        *said.value.get_values_for_type(x509.DNSName),
        *(str(address) for address in addresses),
    )


def refuse_disabling() -> None:
    """No datastore of ours speaks without it."""
    raise errors.Unsupported(
        "TLS cannot be disabled: databases here are reached in no other way."
    )


def refuse_bringing() -> None:
    """Certificates are issued and renewed by the deployment's authority."""
    raise errors.Unsupported(
        "A certificate of your own is not supported yet; the deployment's authority "
        "issues and renews the one that is there."
    )


def refuse_rollback() -> None:
    """There is nothing that was changed."""
    raise errors.Invalid("There is no other certificate to return to.")
