# SPDX-License-Identifier: Apache-2.0
"""The guest's own secrets: made here, kept here, handed to its engine and nobody else.

Made and written down before anything is said to anybody, so that a crash at any later
moment finds the same keys again. They are made by the openssl program: a library for
it would stay in the agent's memory for ever.
"""

import base64
import dataclasses
import datetime
import grp
import os
import pwd

from trove import errors
from trove.datastores.protocol import Tls
from trove.guestagent import files, state
from trove.guestagent.host import Host
from trove.guestagent.places import Places
from trove.rpc import passwords

KEY, CSR, CERTIFICATE, CA = "server.key", "server.csr", "server.crt", "ca.crt"

X25519 = 32
"""Bytes of such a key; in DER they are the last ones."""


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """Who this guest is to the control plane. ``enrolled``: it has its certificate."""

    instance: str
    password: str = dataclasses.field(repr=False)
    private_key: str = dataclasses.field(repr=False)
    public_key: str
    enrolled: bool = False


class NoIdentity(errors.Internal):
    """The guest's keys cannot be used."""

    sentence = "The guest's identity cannot be used: {why}."


def load(places: Places) -> Identity:
    """The identity that was made; raises ``NoIdentity`` when there is none."""
    data = state.load_json(places.identity)
    if data is None:
        raise NoIdentity(why="none was made yet")
    try:
        return Identity(**data)
    except TypeError:
        raise NoIdentity(why="it has other fields") from None


def save(places: Places, identity: Identity) -> None:
    """Durable when this returns."""
    state.save_json(places.identity, dataclasses.asdict(identity))


def ensure(places: Places, host: Host, instance: str) -> Identity:
    """The guest's identity, made at its first start.

    A server that was built from another's disk is another guest: it gets its own.
    """
    if state.load_json(places.identity) is not None:
        identity = load(places)
        if identity.instance == instance:
            return identity
    _make_server_key(places, host, instance)
    private, public = _make_sealing_key(host)
    identity = Identity(instance, passwords.new_password(), private, public)
    save(places, identity)
    return identity


def _make_sealing_key(host: Host) -> tuple[str, str]:
    """An X25519 key as ``rpc.sealing`` has it: raw, private and public, in base64."""
    made = host.run(["openssl", "genpkey", "-algorithm", "X25519"]).stdout
    public = host.run(["openssl", "pkey", "-pubout"], input=made).stdout
    return _raw(made), _raw(public)


def _raw(pem: str) -> str:
    body = "".join(line for line in pem.splitlines() if not line.startswith("-----"))
    return base64.b64encode(base64.b64decode(body)[-X25519:]).decode()


def _make_server_key(places: Places, host: Host, instance: str) -> None:
    files.directory(places.tls)
    curve = "ec_paramgen_curve:P-256"
    made = host.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", curve])
    files.write(places.tls / KEY, made.stdout)
    asked = ["openssl", "req", "-new", "-sha256", "-key", str(places.tls / KEY)]
    # The names in it do not matter: the control plane decides them
    csr = host.run([*asked, "-subj", f"/CN={instance}"]).stdout
    files.write(places.tls / CSR, csr)
    for name in (CERTIFICATE, CA):
        files.remove(places.tls / name)


def csr(places: Places) -> str:
    """The request for the server's certificate, PEM."""
    return files.read(places.tls / CSR).decode()


def keep_certificate(
    places: Places, host: Host, identity: Identity, certificate: str, ca: str
) -> Identity:
    """Keeps what the control plane issued, if it is for our key and from that CA."""
    ours = host.run(["openssl", "pkey", "-in", str(places.tls / KEY), "-pubout"]).stdout
    theirs = host.run(["openssl", "x509", "-noout", "-pubkey"], input=certificate)
    if theirs.stdout != ours:
        raise NoIdentity(why="the certificate is for another key")
    files.write(places.tls / CA, ca)
    files.write(places.tls / CERTIFICATE, certificate)
    host.run(
        ["openssl", "verify", "-CAfile", str(places.tls / CA)]
        + [str(places.tls / CERTIFICATE)]
    )
    identity = dataclasses.replace(identity, enrolled=True)
    save(places, identity)
    return identity


def hand_out(places: Places, host: Host, user: str) -> Tls:
    """The key, certificate and CA where the engine's user can read and not write them.

    They are the engine's copies: what the agent keeps stays in its own directory.
    """
    entry = pwd.getpwnam(user)
    owner = f"root:{grp.getgrgid(entry.pw_gid).gr_name}"
    if os.geteuid() != 0:  # only in a test: then everything belongs to who runs it
        owner = pwd.getpwuid(os.geteuid()).pw_name
    target = places.engine_tls
    host.make_directory(places.etc, mode=0o755)
    host.make_directory(target, mode=0o750, owner=owner)
    for name in (KEY, CERTIFICATE, CA):
        content = files.read(places.tls / name)
        host.write_file(target / name, content, mode=0o640, owner=owner)
    return Tls(str(target / CERTIFICATE), str(target / KEY), str(target / CA))


def certificate_expires(places: Places, host: Host) -> str | None:
    """When the server's certificate ends, ISO 8601 in UTC; None without one."""
    if files.text(places.tls / CERTIFICATE) is None:
        return None
    said = host.run(
        ["openssl", "x509", "-noout", "-enddate", "-in", str(places.tls / CERTIFICATE)]
    ).stdout
    text = said.strip().partition("=")[2]
    moment = datetime.datetime.strptime(text, "%b %d %H:%M:%S %Y %Z")
    return moment.replace(tzinfo=datetime.UTC).isoformat()
