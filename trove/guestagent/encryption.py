# SPDX-License-Identifier: Apache-2.0
"""How the engine is reached from now on: tried, looked at from outside, then kept.

What is tried is not kept before a new connection was shown the certificate that it is
about. Whatever happens until then, a death of this process or of the machine, the
engine is owed what is kept, and gets it (``guestagent/renewal.py``).
"""

import base64
import hashlib
import time
import typing

from trove import errors
from trove.datastores.protocol import MODES, MTLS
from trove.guestagent import brought, identity
from trove.guestagent.brought import Kept, Pair
from trove.guestagent.identity import CERTIFICATE
from trove.rpc import codec
from trove.rpc.messages import TlsOrder

if typing.TYPE_CHECKING:
    from trove.guestagent.desk import Desk

SOON = 10.0
"""Seconds within which a new connection is shown the new certificate."""
END = "-----END CERTIFICATE-----"

Result = dict[str, typing.Any]


class NotServed(errors.EngineFailed):
    """A certificate did not work; what was there before does."""

    sentence = "{why}; it serves as it did before"


def change(desk: "Desk", arguments: dict[str, typing.Any]) -> Result:
    """As the order says, or as it was. Done again, it changes nothing."""
    order: TlsOrder = codec.decode(TlsOrder, arguments["order"], "order")
    kept = brought.load(desk.places, desk.host)
    wanted = _wanted(desk, order, kept, str(arguments["job"]))
    desk.progress(10, "order read")
    identity.owe(desk.places)
    try:
        _serve(desk, wanted.now)
        desk.progress(60, "it serves so")
        brought.save(desk.places, desk.host, wanted)
    except (errors.TroveError, OSError) as failed:
        _serve(desk, kept.now)
        identity.taken(desk.places)
        why = failed.message if isinstance(failed, errors.TroveError) else str(failed)
        raise NotServed(why=why) from failed
    identity.taken(desk.places)
    shown = identity.shown(desk.places)
    said: Result = {"mode": shown.mode, "brought": shown.brought}
    if shown.brought:
        said["fingerprint"] = _fingerprint(shown.certificate or "")
    return said


def settle_in(desk: "Desk") -> None:
    """Data that come from elsewhere may have accounts that ask for a certificate of an
    authority which is not this server's: nobody could enter by them."""
    shown = identity.shown(desk.places)
    if not shown.brought or shown.mode == MTLS:
        desk.engine.hold_mode()


def _wanted(desk: "Desk", order: TlsOrder, kept: Kept, job: str) -> Kept:
    if kept.by == job:
        return kept
    if not order.back:
        return kept.taking(_unsealed(desk, order), job)
    if kept.now is None:
        raise errors.Invalid(why="there is no other certificate to return to")
    wanted = kept.returning(job)
    if wanted.now is not None and _ended(desk, wanted.now):
        wanted = wanted.returning(job)
    return wanted


def _unsealed(desk: "Desk", order: TlsOrder) -> Pair:
    """Opened in this process's memory only."""
    from trove.rpc import sealing  # only here: its library stays out of the agent

    private = identity.load(desk.places).private_key
    secret = sealing.unseal(private, order.sealed)
    pair, ca = secret.get("pair"), secret.get("ca")
    if not (isinstance(pair, str) and isinstance(ca, str) and CERTIFICATE in pair):
        raise errors.Invalid(why="the sealed part holds no certificate")
    if order.mode not in MODES:
        raise errors.Invalid(why="the order names no mode")
    return Pair(order.mode, pair, ca)


def _ended(desk: "Desk", pair: Pair) -> bool:
    return identity.dates(desk.host, pair.pair).ends.timestamp() <= time.time()


def _serve(desk: "Desk", pair: Pair | None) -> None:
    """The engine has it, and a new connection is shown it."""
    tls = identity.offer(desk.places, desk.host, desk.guest.user, pair)
    desk.engine.load_certificate(tls)
    wanted = _first(identity.shown(desk.places).certificate or "")
    until = desk.clock() + SOON
    while True:
        try:
            found = _first(desk.engine.shown())
            why = "a new connection is shown another certificate"
        except errors.EngineFailed as failed:  # it may have no connection to give
            found, why = "", failed.message
        if found == wanted:
            return
        if desk.clock() >= until:
            raise errors.EngineFailed(why=why)
        desk.pause(0.25)


def _fingerprint(text: str) -> str:
    """By it the control plane knows which of those that were brought this is."""
    return hashlib.sha256(base64.b64decode(_first(text))).hexdigest()


def _first(text: str) -> str:
    """The first certificate of a text, however its lines are broken."""
    return "".join(text.partition(CERTIFICATE)[2].partition(END)[0].split())
