# SPDX-License-Identifier: Apache-2.0
"""Guests by the hundred: one thread moves them all, each on its own connection.

A toy (``toys.py``) is the agent's own code and ten threads. Of a crowd it is the
control plane that is looked at: these speak as an agent does, as their own users at the
real broker, with the password that they changed, and do every job at once and once.
"""

import contextlib
import heapq
import queue
import selectors
import socket
import ssl
import threading
import time
import typing

import amqp

from tests.bench import guests, wire
from trove.cloud.memory import World
from trove.model.states import JobState, Service
from trove.rpc import passwords, sealing
from trove.rpc.messages import Enrolment, JobReport
from trove.service import certificates

EVERY = 5.0
"""Seconds between two reports of one, and before what nobody answered is said again."""
QUIET = 0.001
VHOST = "/trove-guests"
LOST = (OSError, amqp.exceptions.AMQPError)


class Guest(guests.Guest):
    """One: its connection, and the deeds it has done."""

    def __init__(self, instance: str, server: str, user: str, password: str) -> None:
        super().__init__(instance)
        self.server, self.user, self.password = server, user, password
        self.secret = passwords.new_password()
        self.enrolled = False
        self.done: list[str] = []
        self.jobs: dict[str, JobReport] = {}
        self.line: amqp.Connection | None = None
        self.channel: typing.Any = None

    def heard(self, message: amqp.Message) -> bool:
        """An order, or the answer to its enrolment; whether it has something to say."""
        said = wire.read(message)
        if "method" not in said:
            if said.get("failure"):
                raise RuntimeError(f"{self.instance}: not enrolled: {said['failure']}")
            self.password = self.secret
            return not self.enrolled
        id = said["args"]["job"]
        if id not in self.jobs:
            self.done.append(said["method"])
            self.jobs[id] = JobReport(id, JobState.DONE, 100)
            stopped = said["method"] == "stop_database"
            self.service = Service.STOPPED if stopped else Service.HEALTHY
        return True


class Choir:
    """All of them."""

    def __init__(
        self, world: World, host: str, authority: str, faults: list[str]
    ) -> None:
        self._world, self._host, self._authority = world, host, authority
        self._faults = faults
        self._born: queue.Queue[Guest] = queue.Queue()
        self._bell, heard = socket.socketpair()
        self._looks = selectors.DefaultSelector()
        self._looks.register(heard, selectors.EVENT_READ)
        self._turns: list[tuple[float, int, Guest]] = []
        self._thread = threading.Thread(target=self._run, name="choir", daemon=True)
        # One key and one request for all: who answers them does not mind
        _key, self._request = certificates.server_key_and_request()
        self._public = sealing.keypair()[1]

    def born(self, guest: Guest) -> None:
        if not self._thread.is_alive():
            self._thread.start()
        self._born.put(guest)
        self._bell.send(b"!")

    # -- its thread ----------------------------------------------------------------

    def _run(self) -> None:
        while True:
            wait = max(0.0, self._turns[0][0] - time.monotonic()) if self._turns else 1
            for key, _ in self._looks.select(wait):
                if key.data is None:
                    typing.cast(socket.socket, key.fileobj).recv(4096)
                else:
                    self._move(key.data, self._listen)
            with contextlib.suppress(queue.Empty):
                while True:
                    self._turn(self._born.get_nowait(), 0.0)
            while self._turns and self._turns[0][0] <= time.monotonic():
                guest = heapq.heappop(self._turns)[2]
                if guest.server in self._world.made:
                    self._move(guest, self._speak)
                    self._turn(guest, EVERY)
                else:
                    self._close(guest)

    def _turn(self, guest: Guest, after: float) -> None:
        heapq.heappush(self._turns, (time.monotonic() + after, id(guest), guest))

    def _move(self, guest: Guest, deed: typing.Callable[[Guest], None]) -> None:
        """What its connection does not outlive, the next turn begins anew."""
        try:
            deed(guest)
        except LOST:
            self._close(guest)
        except Exception as error:  # noqa: BLE001 - every test looks at the list
            self._faults.append(f"{guest.instance}: {error!r}")
            self._close(guest)

    def _speak(self, guest: Guest) -> None:
        """Its turn: it enrols until it is answered, then it reports."""
        self._open(guest)
        if guest.enrolled:
            self._report(guest)
            return
        enrolment = Enrolment(
            passwords.hash_password(guest.secret), self._public, self._request
        )
        wire.publish(guest.channel, wire.enrol(guest.instance, enrolment))

    def _report(self, guest: Guest) -> None:
        report = guest.report(*list(guest.jobs.values())[-3:])
        wire.publish(guest.channel, wire.heartbeat(guest.instance, report))

    def _listen(self, guest: Guest) -> None:
        assert guest.line is not None
        with contextlib.suppress(TimeoutError, socket.timeout, ssl.SSLWantReadError):
            while True:
                guest.line.drain_events(timeout=QUIET)

    def _heard(self, guest: Guest, message: amqp.Message) -> None:
        if not guest.heard(message):
            return
        if not guest.enrolled:
            # with the password that the broker has from now on
            guest.enrolled = True
            self._close(guest)
            self._open(guest)
        self._report(guest)

    def _open(self, guest: Guest) -> None:
        if guest.line is not None:
            return
        guest.line = wire.connect(
            self._host, VHOST, guest.user, guest.password, self._authority
        )
        guest.channel = guest.line.channel()
        wire.listen(
            guest.channel, guest.instance, lambda message: self._heard(guest, message)
        )
        self._looks.register(guest.line.transport.sock, selectors.EVENT_READ, guest)

    def _close(self, guest: Guest) -> None:
        line, guest.line = guest.line, None
        if line is not None:
            self._looks.unregister(line.transport.sock)
            with contextlib.suppress(*LOST):
                line.transport.sock.close()
