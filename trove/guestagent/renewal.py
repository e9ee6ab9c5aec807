# SPDX-License-Identifier: Apache-2.0
"""The server's certificate, renewed in good time and loaded without a connection lost.

It is renewed when two thirds of its life have passed, or when the machine got another
address. The one before serves until the new one is whole, for the right key, and of the
right authority. Whatever fails is tried again, for weeks if need be; in its last days
the report says so.

Where a user brought a certificate, that one serves and is nobody's to renew but his:
its last days are told as well. Ours is kept fresh beside it.
"""

import contextlib
import datetime
import json
import logging
import pathlib
import random
import time
import typing

from trove import errors
from trove.datastores.protocol import MTLS, Engine, Tls
from trove.guestagent import brought, files, identity
from trove.guestagent.child import lock_of_jobs
from trove.guestagent.host import Host
from trove.guestagent.identity import Certificate
from trove.guestagent.places import Places
from trove.rpc.messages import Enrolled, Renewal
from trove.service.looping import Looping

LOG = logging.getLogger(__name__)

USED = 2 / 3
"""The share of its life after which a certificate is renewed."""

LATE = datetime.timedelta(days=7)
"""Before its end: not to have been renewed by then is a fault."""

SOON = datetime.timedelta(days=30)
"""Before the end of one that a user brought: he is told."""

BROUGHT = "the certificate that was brought {how} on {day}; another must be brought"
_DAYS = LATE.total_seconds()

EVERY = 3600.0
"""Seconds between two looks at what is due."""

FIRST, LONGEST = 60.0, 6 * 3600.0
"""Seconds between two tries that fail: doubled each time, and never exactly."""

ADDRESSES = "addresses"


def is_due(certificate: Certificate, now: float) -> bool:
    """Whether two thirds of its life have passed."""
    life = (certificate.ends - certificate.begins).total_seconds()
    return now >= certificate.begins.timestamp() + life * USED


def fault(certificate: Certificate, now: float) -> str:
    """What is wrong with a certificate that should have been renewed; mostly nothing.

    One with a short life is not late as soon as it is due.
    """
    late = min(LATE, (certificate.ends - certificate.begins) / 6)
    left = certificate.ends.timestamp() - now
    if left > late.total_seconds():
        return ""
    if left <= 0:
        return f"the server's certificate ended on {certificate.ends:%Y-%m-%d}"
    days = int(left // 86400)
    return f"the server's certificate ends in {days} days and could not be renewed"


def addresses(host: Host) -> list[str]:
    """The machine's addresses that do not go by themselves."""
    words = ["ip", "-o", "addr", "show", "scope", "global", "-temporary"]
    found = host.run(words, timeout=10, check=False)
    if found.returncode:
        return []
    lines = (line.split() for line in found.stdout.splitlines())
    return sorted({line[3].partition("/")[0] for line in lines if len(line) > 3})


class Renewals(Looping):
    """A part that keeps the certificate fresh.

    ``ask`` sends the request to the conductor (``errors.Unavailable``: it cannot be
    reached). ``engine`` is made by the thread that uses it. ``ready`` says whether
    there is an engine that could load a certificate. A request that is under way at the
    end is sent again by the next agent.
    """

    name = "renewals"

    def __init__(
        self,
        places: Places,
        host: Host,
        instance: str,
        user: str,
        *,
        ask: typing.Callable[[Renewal], Enrolled],
        engine: typing.Callable[[], Engine],
        ready: typing.Callable[[], bool],
        clock: typing.Callable[[], float] = time.time,
        pick: typing.Callable[[float, float], float] = random.uniform,
        where: typing.Callable[[Host], list[str]] = addresses,
    ) -> None:
        super().__init__()
        self._places, self._host = places, host
        self._instance, self._user = instance, user
        self._ask, self._make, self._ready = ask, engine, ready
        self._engine: Engine | None = None
        self._clock, self._pick, self._where = clock, pick, where
        self._longer = FIRST
        self._certificate: Certificate | None = None
        self._brought: Certificate | None = None

    # -- what a report says

    @property
    def expires(self) -> str | None:
        """When the certificate that is served ends, ISO 8601 in UTC."""
        found = self._brought or self._certificate
        return found.ends.isoformat() if found is not None else None

    @property
    def fault(self) -> str:
        """What is wrong with the certificate that is kept; empty: nothing."""
        now, ours, theirs = self._clock(), self._certificate, self._brought
        if theirs is not None and (left := theirs.ends.timestamp() - now) <= _DAYS:
            return BROUGHT.format(
                how="ends" if left > 0 else "ended", day=f"{theirs.ends:%Y-%m-%d}"
            )
        return fault(ours, now) if ours is not None else ""

    # -- renewing

    def look(self) -> float:
        """Renews what is due; seconds until the next look."""
        try:
            self.keep_fresh()
        except (errors.TroveError, OSError) as error:
            wait = self._pick(self._longer / 2, self._longer)
            self._longer = min(LONGEST, self._longer * 2)
            LOG.warning(
                "the certificate of %s could not be renewed, next try in %d s: %s",
                self.expires or "this guest",
                wait,
                error,
            )
            return wait
        self._longer = FIRST
        return self._pick(EVERY * 0.9, EVERY)

    def keep_fresh(self) -> None:
        """Asks for a certificate if one is due, and has the engine load what is new."""
        self._certificate = identity.certificate(self._places, self._host)
        if self._certificate is None:
            return
        why = self._due(self._certificate)
        if why:
            LOG.info("certificate %s: %s", self._certificate.serial, why)
            self._renew()
        if self._ready():
            self._look_after()

    def _look_after(self) -> None:
        """The engine has what is in force, and holds to its mode."""
        try:
            now = brought.load(self._places, self._host).now
        except brought.Unreachable as error:
            LOG.info("%s It is looked for again.", error)
            return  # the engine cannot run, and has what it was given
        if identity.owed(self._places):
            self._load()
        self._brought = None if now is None else identity.dates(self._host, now.pair)
        if now is not None and now.mode == MTLS:
            # An engine that does not run has no accounts that anybody makes
            with lock_of_jobs(self._places), contextlib.suppress(errors.EngineFailed):
                self._with().hold_mode()
        self._warn()

    def _warn(self) -> None:
        """Each look, for a month: nobody but the user can bring the next one."""
        if self._brought is None:
            return
        left = self._brought.ends.timestamp() - self._clock()
        if left < SOON.total_seconds():
            LOG.warning("the certificate that was brought ends on %s", self.expires)

    def _with(self) -> Engine:
        if self._engine is None:
            self._engine = self._make()
        return self._engine

    def _due(self, certificate: Certificate) -> str:
        if is_due(certificate, self._clock()):
            return f"it ends on {certificate.ends:%Y-%m-%d} and is renewed"
        if identity.wanted(self._places) is not None:
            return "its addresses have changed"
        here = self._where(self._host)
        known = self._known()
        if known is None:
            self._note(here)
        elif new := sorted(set(here) - set(known)):
            return f"the machine has a new address, {', '.join(new)}"
        return ""

    def _renew(self) -> None:
        here, wish = self._where(self._host), identity.wanted(self._places)
        request = identity.ask(self._places, self._host, self._instance)
        answer = self._ask(Renewal(request))
        # A job may hand the pair out: it must not do so while it is replaced
        with lock_of_jobs(self._places):
            identity.keep_certificate(
                self._places, self._host, answer.certificate, answer.ca
            )
        self._note(here)
        identity.granted(self._places, wish)
        self._certificate = identity.certificate(self._places, self._host)

    def _load(self) -> None:
        with lock_of_jobs(self._places):
            tls: Tls = identity.hand_out(self._places, self._host, self._user)
            self._with().load_certificate(tls)
            identity.taken(self._places)
        LOG.info(
            "the database serves with certificate %s",
            identity.dates(
                self._host, files.read(pathlib.Path(tls.pair)).decode()
            ).serial,
        )

    def _known(self) -> list[str] | None:
        try:
            text = files.text(self._places.tls / ADDRESSES)
            return None if text is None else [str(one) for one in json.loads(text)]
        except (ValueError, TypeError, files.UnsafePath):
            return None  # it says nothing, and is written anew

    def _note(self, here: list[str]) -> None:
        if here:  # none at all: the network is not up, and nothing is known
            files.write(self._places.tls / ADDRESSES, json.dumps(here) + "\n")
