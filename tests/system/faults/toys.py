# SPDX-License-Identifier: Apache-2.0
"""Guests without a machine: the agent's manager and ledger, and no database behind.

Each is born from the user data of the server that the cloud booted, enrols, changes
its password, and from then on reports every second over its own connection, whatever
happens to the broker meanwhile.
"""

import configparser
import contextlib
import itertools
import json
import pathlib
import queue
import threading
import time
import typing

from oslo_config import cfg

from tests.system.faults import light
from tests.tenants import Engine
from trove import errors
from trove.cloud.memory import World
from trove.context import Context
from trove.datastores import registry
from trove.guestagent.accounts import Desk, unsealer
from trove.guestagent.enrolment import accepts
from trove.guestagent.ledger import Job, Ledger, Outcome
from trove.guestagent.manager import Manager
from trove.model.states import JobState, Service
from trove.rpc import codec, passwords, sealing, transport
from trove.rpc.conductor import Conductor
from trove.rpc.guest import Guest
from trove.rpc.interface import Proxy
from trove.rpc.messages import Enrolment, Plan, Report
from trove.service import certificates

EVERY = 1.0


class Toy:
    """One guest."""

    def __init__(
        self, fleet: "Fleet", instance: str, server: str, user: str, password: str
    ) -> None:
        self.fleet, self.instance, self.server = fleet, instance, server
        self.user, self.password = user, password
        self.done: list[str] = []
        self.service = str(Service.NEW)
        self._home = fleet.home / server
        self._home.mkdir(parents=True)
        self._ledger = Ledger(self._home / "jobs")
        self._keys = sealing.keypair()
        # its tenants' accounts are those of any engine: it has no other
        self._engine = Engine(registry.get("mariadb").naming)
        self._conductor: typing.Any = None
        self._listener: typing.Any = None
        self._news: queue.Queue[str] = queue.Queue()
        self._seq = itertools.count(1)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, id: str, method: str, arguments: dict[str, typing.Any]) -> Job:
        """What the agent's manager asks of the queue of jobs."""
        job, new = self._ledger.accept(id, method, arguments)
        if new:
            self._news.put("job")
        return job

    def beat(self) -> None:
        """A report; one that is not heard is followed by another."""
        with contextlib.suppress(errors.TroveError):
            self._conductor.heartbeat(
                Report(
                    boot=1,
                    seq=next(self._seq),
                    service=self.service,
                    version="1.0",
                    disk_used=1 << 28,
                    disk_total=1 << 30,
                    agent="toy",
                    jobs=self._ledger.reports(),
                )
            )

    # -- its thread ----------------------------------------------------------------

    def _there(self) -> bool:
        return self.server in self.fleet.world.made

    def _run(self) -> None:
        try:
            self._enrol()
            while self._there():
                with contextlib.suppress(queue.Empty):
                    self._news.get(timeout=EVERY)
                if self._there():
                    self._jobs()
                    self.beat()
        except Exception as error:  # noqa: BLE001 - every test looks at the list
            if self._there():
                self.fleet.faults.append(f"{self.instance}: {error!r}")
        finally:
            if self._listener is not None:
                self._listener.stop(5)

    def _enrol(self) -> None:
        """The agent's first start; it is tried until it is heard."""
        _key, request = certificates.server_key_and_request()
        secret = passwords.new_password()
        enrolment = Enrolment(passwords.hash_password(secret), self._keys[1], request)
        while self._there():
            with contextlib.suppress(errors.TroveError):
                # as the agent does: its own may have been taken, and nobody said so
                known = secret if self._accepts(secret) else self.password
                opened = self._open(known)
                try:
                    Proxy(Conductor, opened, Context(), retry=1).enrol(enrolment)
                    break
                finally:
                    threading.Thread(target=opened.cleanup, daemon=True).start()
            time.sleep(0.5)
        self.password = secret
        opened = self._open()
        self._conductor = Proxy(Conductor, opened, Context(), retry=1)
        manager = Manager(
            self._ledger,
            typing.cast(typing.Any, self),
            lambda: self._news.put("beat"),
            Desk(
                lambda: self._engine,
                unsealer(lambda: self._keys[0]),
                lambda: self.service == Service.HEALTHY,
            ),
        )
        self._listener = transport.server(opened, Guest, manager, self.instance)
        self._listener.start()
        self.beat()

    def _accepts(self, password: str) -> bool:
        fleet = self.fleet
        return accepts(
            fleet.hosts, "/trove-guests", self.user, password, fleet.authority
        )

    def _open(self, password: str | None = None) -> typing.Any:
        return transport.guest(
            self.fleet.conf,
            instance=self.instance,
            hosts=self.fleet.hosts,
            vhost="/trove-guests",
            user=self.user,
            password=password or self.password,
            ca_file=self.fleet.authority,
            lock_path=str(self._home),
        )

    def _jobs(self) -> None:
        while (job := self._ledger.next()) is not None:
            job = self._ledger.begin(job)
            self.beat()
            if job.method == "prepare":
                plan = codec.decode(Plan, job.arguments["plan"], "plan")
                sealing.unseal(self._keys[0], plan.sealed)
            stopped = job.method == "stop_database"
            self.service = str(Service.STOPPED if stopped else Service.HEALTHY)
            self.done.append(job.method)
            self._ledger.finish(job, Outcome(100, JobState.DONE, None, {}))
            self.beat()


class Fleet:
    """All guests."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        world: World,
        home: pathlib.Path,
        hosts: list[str],
        authority: str,
    ) -> None:
        self.conf, self.world, self.home = conf, world, home
        self.hosts, self.authority = hosts, authority
        self.guests: dict[str, Toy | light.Guest] = {}
        """By instance; of two, the younger."""
        self.faults: list[str] = []
        self._choir = light.Choir(world, hosts[0], authority, self.faults)

    def booted(self, order: typing.Any, server: str) -> None:
        """A server has been made: somewhere a guest wakes, as its user data says."""
        head, _, body = order.user_data.partition("\n")
        assert head == "#cloud-config"
        files = {f["path"]: f["content"] for f in json.loads(body)["write_files"]}
        conf = configparser.ConfigParser(interpolation=None)
        conf.read_string(files["/etc/trove/guest.conf"])
        born = (conf["guest"]["instance"], server)
        born += (conf["broker"]["user"], conf["broker"]["password"])
        if order.name.startswith("light"):
            self.guests[born[0]] = guest = light.Guest(*born)
            self._choir.born(guest)
        else:
            self.guests[born[0]] = toy = Toy(self, *born)
            toy.start()
