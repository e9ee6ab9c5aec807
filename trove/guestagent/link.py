# SPDX-License-Identifier: Apache-2.0
"""The link to the control plane: enrolled, then served and reported through, for ever.

It comes up in a thread of its own and as often as it takes: a broker that is away must
keep neither the agent's start nor the database waiting. Once up, oslo.messaging keeps
it up by itself.
"""

import contextlib
import logging
import random
import threading
import typing

from amqp.exceptions import AMQPError
from kombu.exceptions import KombuError

from trove import errors
from trove.context import Context
from trove.guestagent import enrolment
from trove.guestagent.host import Host
from trove.guestagent.identity import Identity
from trove.guestagent.places import Places
from trove.rpc import transport
from trove.rpc.conductor import Conductor
from trove.rpc.guest import Guest
from trove.rpc.interface import Check, Proxy
from trove.rpc.messages import ArchiveReport, Enrolled, Enrolment, Renewal, Report

LOG = logging.getLogger(__name__)

FIRST, LONGEST = 0.5, 30.0
"""Seconds between two tries: doubled each time, and never exactly."""


@contextlib.contextmanager
def told() -> typing.Iterator[None]:
    """What the libraries below say of a broker that is away, in our own words.

    A connection that is there and breaks is oslo.messaging's to tell; one that cannot
    be made is told by kombu, past it.
    """
    try:
        yield
    except (KombuError, AMQPError, OSError) as error:
        LOG.info("the broker is away: %s", error)
        raise errors.Unavailable(what="the broker") from error


class Broker:
    """Where the broker is, and how this guest speaks to it."""

    def __init__(
        self,
        conf: typing.Any,
        instance: str,
        *,
        hosts: typing.Sequence[str],
        vhost: str,
        user: str,
        ca_file: str,
        lock_path: str,
    ) -> None:
        self._conf = conf
        self._instance = instance
        self._hosts = hosts
        self._vhost = vhost
        self._user = user
        self._ca_file = ca_file
        self._lock_path = lock_path

    def accepts(self, password: str) -> bool:
        """Whether it takes this password."""
        return enrolment.accepts(
            self._hosts, self._vhost, self._user, password, self._ca_file
        )

    def enrol(self, password: str, message: Enrolment) -> Enrolled:
        """Over a connection of its own, which ends with the answer."""
        opened = self.transport(password)
        try:
            with told():
                answer = Proxy(Conductor, opened, Context()).enrol(message)
            return typing.cast(Enrolled, answer)
        finally:
            opened.cleanup()

    def transport(self, password: str) -> typing.Any:
        """A transport with this password; it connects when it is used."""
        return transport.guest(
            self._conf,
            instance=self._instance,
            hosts=self._hosts,
            vhost=self._vhost,
            user=self._user,
            password=password,
            ca_file=self._ca_file,
            lock_path=self._lock_path,
        )


class Link:
    """A part: enrols, serves ``Guest`` with ``manager``, and then starts ``up``."""

    def __init__(
        self,
        places: Places,
        host: Host,
        broker: Broker,
        identity: Identity,
        bootstrap: str,
        manager: object,
        *,
        up: typing.Callable[[], object],
        check: Check | None = None,
        pick: typing.Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._places = places
        self._host = host
        self._broker = broker
        self._identity = identity
        self._bootstrap = bootstrap
        self._manager = manager
        self._up, self._check = up, check
        self._pick = pick
        self._server: typing.Any = None
        self._conductor: Proxy | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to connect."""
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._thread.start()

    def stop(self, within: float) -> bool:
        """Stops serving; a connection that does not come about is given up."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(min(within, 1.0))
        if self._server is not None:
            self._server.stop(within)
        return True  # whatever was asked of us is in the ledger

    def alive(self) -> bool:
        """Whether it still tries, or is up."""
        up = self._server is not None
        return up or (self._thread is not None and self._thread.is_alive())

    def report(self, report: Report) -> None:
        """Sends a heartbeat; ``errors.Unavailable`` when it cannot be sent."""
        if self._conductor is None:
            raise errors.Unavailable(what="the broker")
        with told():
            self._conductor.heartbeat(report)

    def archived(self, report: ArchiveReport) -> None:
        """Sends how an archive stands; ``errors.Unavailable`` when it cannot be."""
        if self._conductor is None:
            raise errors.Unavailable(what="the broker")
        with told():
            self._conductor.archived(report)

    def renew(self, renewal: Renewal) -> Enrolled:
        """Asks for the next certificate; ``errors.Unavailable`` when nobody hears."""
        if self._conductor is None:
            raise errors.Unavailable(what="the broker")
        with told():
            answer = self._conductor.renew_certificate(renewal)
        return typing.cast(Enrolled, answer)

    def _run(self) -> None:
        pause = FIRST
        while not self._stopping.is_set():
            try:
                self._connect()
                return
            except (errors.TroveError, OSError) as error:
                LOG.warning("not connected yet: %s", error)
            self._stopping.wait(self._pick(pause / 2, pause))
            pause = min(LONGEST, pause * 2)

    def _connect(self) -> None:
        self._identity = enrolment.ensure(
            self._places, self._host, self._identity, self._bootstrap, self._broker
        )
        opened = self._broker.transport(self._identity.password)
        self._conductor = Proxy(Conductor, opened, Context(), retry=1)
        server = transport.server(
            opened, Guest, self._manager, self._identity.instance, self._check
        )
        with told():
            server.start()
        self._server = server
        LOG.info("connected to the control plane")
        self._up()
