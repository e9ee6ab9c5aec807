# SPDX-License-Identifier: Apache-2.0
"""Guests that are ready at once: every server of ``cloud.py`` has one, in one process.

``python -m tests.bench.guests CLOUD-PORT HOST VHOST USER PASSWORD CA SECONDS``. A guest
is born from the user data of its server, declares its queues, enrols, does every job
the moment it is asked, and reports each SECONDS.
"""

import base64
import configparser
import contextlib
import itertools
import json
import queue
import select
import socket
import sys
import threading
import time
import typing

import amqp

from tests.bench import wire
from trove.model.states import JobState, Service
from trove.rpc import passwords, sealing
from trove.rpc.messages import Enrolment, JobReport, Report
from trove.service import certificates

QUIET = 0.001


class Guest:
    """What it was born as, and how its database is."""

    def __init__(self, instance: str) -> None:
        self.instance = instance
        self.service = Service.NEW
        self.number = itertools.count(1)

    def report(self, *jobs: JobReport) -> Report:
        return Report(
            boot=1,
            seq=next(self.number),
            service=self.service,
            version="1.0",
            disk_used=1 << 28,
            disk_total=1 << 30,
            agent="bench",
            jobs=jobs,
        )


class Fleet:
    """All of them, moved by one thread."""

    def __init__(self, line: amqp.Connection, every: float) -> None:
        self._line, self._channel, self._every = line, line.channel(), every
        # One key and one request for all: what is measured is who answers them.
        _key, request = certificates.server_key_and_request()
        self._enrolment = Enrolment(
            passwords.hash_password(passwords.new_password()),
            sealing.keypair()[1],
            request,
        )
        self._guests: dict[str, Guest] = {}
        self._round = time.monotonic() + every

    def born(self, server: str, user_data: str | None) -> None:
        """A server has been made."""
        head, _, body = base64.b64decode(user_data or "").decode().partition("\n")
        files = {f["path"]: f["content"] for f in json.loads(body)["write_files"]}
        conf = configparser.ConfigParser(interpolation=None)
        conf.read_string(files["/etc/trove/guest.conf"])
        guest = self._guests[server] = Guest(conf["guest"]["instance"])
        wire.listen(
            self._channel, guest.instance, lambda message: self._heard(guest, message)
        )
        wire.publish(self._channel, wire.enrol(guest.instance, self._enrolment))

    def ended(self, server: str) -> None:
        """A server is gone, and its guest with it."""
        if (guest := self._guests.pop(server, None)) is not None:
            wire.leave(self._channel, guest.instance)

    def _heard(self, guest: Guest, message: amqp.Message) -> None:
        said = wire.read(message)
        if "method" not in said:
            self._say(guest)  # enrolled: the first word
            return
        stopped = said["method"] == "stop_database"
        guest.service = Service.STOPPED if stopped else Service.HEALTHY
        self._say(guest, JobReport(said["args"]["job"], JobState.DONE, 100))

    def _say(self, guest: Guest, *jobs: JobReport) -> None:
        report = guest.report(*jobs)
        wire.publish(self._channel, wire.heartbeat(guest.instance, report))

    def drain(self) -> None:
        """What has arrived."""
        with contextlib.suppress(TimeoutError, socket.timeout):
            while True:
                self._line.drain_events(timeout=QUIET)

    def beat(self) -> None:
        """Each says that it is well, when it is time."""
        if time.monotonic() >= self._round:
            self._round = time.monotonic() + self._every
            for guest in self._guests.values():
                self._say(guest)


def news(port: int, box: "queue.Queue[dict[str, str]]", bell: socket.socket) -> None:
    """The cloud's stream of boots."""
    line = socket.create_connection(("127.0.0.1", port))
    line.sendall(b"GET /boots HTTP/1.1\r\nHost: cloud\r\n\r\n")
    with line.makefile("rb") as lines:
        while lines.readline().strip():
            pass
        for text in lines:
            box.put(json.loads(text))
            bell.send(b"!")


def main() -> None:
    """Until it is killed."""
    port, host, vhost, user, password, ca, every = sys.argv[1:]
    line = wire.connect(host, vhost, user, password, ca)
    fleet = Fleet(line, float(every))
    box: queue.Queue[dict[str, str]] = queue.Queue()
    near, far = socket.socketpair()
    threading.Thread(target=news, args=(int(port), box, far), daemon=True).start()
    heard: typing.Any = line.transport.sock
    while True:
        ready, _, _ = select.select([heard, near], [], [], 0.25)
        if near in ready:
            near.recv(4096)
        with contextlib.suppress(queue.Empty):
            while True:
                event = box.get_nowait()
                if "made" in event:
                    fleet.born(event["made"], event["user_data"])
                else:
                    fleet.ended(event["ended"])
        fleet.drain()
        fleet.beat()


if __name__ == "__main__":
    main()
