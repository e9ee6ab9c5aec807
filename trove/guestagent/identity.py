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
import json
import os
import pwd
import time

from trove import errors
from trove.datastores.protocol import ENFORCED, Tls
from trove.guestagent import brought, files, state
from trove.guestagent.brought import Pair
from trove.guestagent.host import Host
from trove.guestagent.places import Places
from trove.rpc import passwords
from trove.rpc.messages import TlsShown

PAIR, CA = "server.pem", "ca.crt"
"""The server's key and certificate are one file: replaced in one move, they are never
those of two different days, whenever the machine dies."""

SHOWN = "shown.json"
"""Beside the engine's copies: how it was told to serve, and whose certificate."""

CERTIFICATE = "-----BEGIN CERTIFICATE-----"
"""Where the key, which comes first, has ended."""

NEXT_KEY, NEXT_CSR, NEXT_CA = "next.key", "next.csr", "next.ca"
"""What is asked for: a fresh key, and the request that was made with it."""

OWED = "owed"
WANTED = "wanted"
"""There while the engine may still serve an older certificate."""

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


@dataclasses.dataclass(frozen=True, slots=True)
class Certificate:
    """The server's certificate: its serial, and the days of its life (UTC)."""

    serial: str
    begins: datetime.datetime
    ends: datetime.datetime


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
    for name in (PAIR, CA, OWED, WANTED, NEXT_KEY, NEXT_CSR, NEXT_CA):
        files.remove(places.tls / name)  # another guest's, if anything is there
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


def ask(places: Places, host: Host, instance: str) -> str:
    """A request for the server's certificate, PEM; the same one until it is granted."""
    if files.text(places.tls / NEXT_CSR) is None:
        _make_request(places, host, instance)
    return files.read(places.tls / NEXT_CSR).decode()


def _make_request(places: Places, host: Host, instance: str) -> None:
    files.directory(places.tls)
    curve = "ec_paramgen_curve:P-256"
    made = host.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", curve])
    files.write(places.tls / NEXT_KEY, made.stdout)
    asked = ["openssl", "req", "-new", "-sha256", "-key", str(places.tls / NEXT_KEY)]
    # The names in it do not matter: the control plane decides them
    csr = host.run([*asked, "-subj", f"/CN={instance}"]).stdout
    files.write(places.tls / NEXT_CSR, csr)


def keep_certificate(places: Places, host: Host, certificate: str, ca: str) -> None:
    """Keeps what the control plane issued, if it is for our key and from that CA.

    Until the pair is written the one from before counts, and after a crash the next
    one is simply asked for again.
    """
    key = files.text(places.tls / NEXT_KEY)
    if key is None:
        raise NoIdentity(why="no certificate was asked for")
    ours = host.run(["openssl", "pkey", "-pubout"], input=key).stdout
    theirs = host.run(["openssl", "x509", "-noout", "-pubkey"], input=certificate)
    if theirs.stdout != ours:
        raise NoIdentity(why="the certificate is for another key")
    files.write(places.tls / NEXT_CA, ca)
    verify = ["openssl", "verify", "-purpose", "sslserver", "-CAfile"]
    host.run([*verify, str(places.tls / NEXT_CA)], input=certificate)
    files.write(places.tls / CA, ca)
    owe(places)
    files.remove(places.tls / NEXT_CSR)  # from here on the next request has another key
    files.write(places.tls / PAIR, key + certificate)
    for name in (NEXT_KEY, NEXT_CA):
        files.remove(places.tls / name)


def enrolled(places: Places, identity: Identity) -> Identity:
    """The identity, as one whose control plane knows it; written down."""
    identity = dataclasses.replace(identity, enrolled=True)
    save(places, identity)
    return identity


def want(places: Places) -> None:
    """The control plane has other addresses for a certificate to name."""
    files.write(places.tls / WANTED, f"{time.time_ns()}\n")


def wanted(places: Places) -> str | None:
    """Which wish for another certificate is open; None: none is."""
    return files.text(places.tls / WANTED)


def granted(places: Places, wish: str | None) -> None:
    """That wish is fulfilled; a later one is not."""
    if wish is not None and wanted(places) == wish:
        files.remove(places.tls / WANTED)


def owe(places: Places) -> None:
    """From now on the engine may serve with another than the one that is kept."""
    files.write(places.tls / OWED, "")


def owed(places: Places) -> bool:
    """Whether the engine has yet to take the newest certificate."""
    return files.text(places.tls / OWED) is not None


def taken(places: Places) -> None:
    """The engine serves with the newest certificate."""
    files.remove(places.tls / OWED)


def hand_out(places: Places, host: Host, user: str) -> Tls:
    """What is in force, where the engine's user can read and not write it.

    That is what a user brought, or else what the deployment issued.
    """
    return offer(places, host, user, brought.load(places, host).now)


def offer(places: Places, host: Host, user: str, pair: Pair | None) -> Tls:
    """Key, certificate and CA for the engine; None: what the deployment issued.

    They are the engine's copies: what the agent keeps stays in its own directory.
    """
    given = pair or Pair(
        ENFORCED,
        files.read(places.tls / PAIR).decode(),
        files.read(places.tls / CA).decode(),
    )
    entry = pwd.getpwnam(user)
    owner = f"root:{grp.getgrgid(entry.pw_gid).gr_name}"
    if os.geteuid() != 0:  # only in a test: then everything belongs to who runs it
        owner = pwd.getpwuid(os.geteuid()).pw_name
    target = places.engine_tls
    host.make_directory(places.etc, mode=0o755)
    host.make_directory(target, mode=0o750, owner=owner)
    told = json.dumps({"mode": given.mode, "brought": pair is not None})
    for name, content in ((CA, given.ca), (PAIR, given.pair), (SHOWN, told)):
        host.write_file(target / name, content, mode=0o640, owner=owner)
    return Tls(str(target / PAIR), str(target / CA), given.mode)


def shown(places: Places) -> TlsShown:
    """How the engine was told to serve, and with what: never a key."""
    told = state.load_json(places.engine_tls / SHOWN) or {}
    text = files.text(places.engine_tls / PAIR) or files.text(places.tls / PAIR)
    return TlsShown(
        mode=str(told.get("mode", ENFORCED)),
        certificate=None if text is None else text[text.index(CERTIFICATE) :],
        brought=bool(told.get("brought")),
    )


def certificate(places: Places, host: Host) -> Certificate | None:
    """The one that the deployment issued; None without one."""
    text = files.text(places.tls / PAIR)
    return None if text is None else dates(host, text)


def dates(host: Host, pair: str) -> Certificate:
    """Of the first certificate in a text."""
    asked = ["openssl", "x509", "-noout", "-serial", "-startdate", "-enddate"]
    said = host.run(asked, input=pair[pair.index(CERTIFICATE) :]).stdout
    words = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    try:
        return Certificate(
            serial=words["serial"].lower().lstrip("0"),
            begins=_moment(words["notBefore"]),
            ends=_moment(words["notAfter"]),
        )
    except (KeyError, ValueError):
        raise NoIdentity(why="the certificate has no dates") from None


def _moment(text: str) -> datetime.datetime:
    moment = datetime.datetime.strptime(text.strip(), "%b %d %H:%M:%S %Y %Z")
    return moment.replace(tzinfo=datetime.UTC)
