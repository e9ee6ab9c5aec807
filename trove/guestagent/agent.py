# SPDX-License-Identifier: Apache-2.0
"""The agent: its parts, put together and started in the order that is safe.

The database first: its volume is mounted and its engine started by a job, whether or
not a broker is to be found. Then the watch over it, then the link to the control plane.
"""

import dataclasses
import functools
import logging
import typing

from trove.datastores.protocol import Engine
from trove.guestagent import accounts, files, identity, state
from trove.guestagent.addresses import Addresses
from trove.guestagent.archiving import Archiving
from trove.guestagent.desk import load_engine
from trove.guestagent.health import Watch
from trove.guestagent.heartbeat import Heartbeat, Reporter
from trove.guestagent.host import Host
from trove.guestagent.jobs import Jobs
from trove.guestagent.keeps import Keeps
from trove.guestagent.ledger import OWN, Ledger
from trove.guestagent.link import Broker, Link
from trove.guestagent.logs import Logs
from trove.guestagent.machine import version
from trove.guestagent.manager import Manager
from trove.guestagent.modules.shelf import Shelf
from trove.guestagent.places import Places
from trove.guestagent.renewal import Renewals
from trove.guestagent.routes import Routes
from trove.guestagent.state import Guest
from trove.rpc.interface import Check
from trove.rpc.signing import Verifier
from trove.service.process import Part

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Contact:
    """How the control plane is reached, as the configuration says."""

    hosts: tuple[str, ...]
    vhost: str
    user: str
    ca_file: str
    bootstrap: str = dataclasses.field(default="", repr=False)


class Agent:
    """All of it, made; ``parts`` are for ``service.process.Process`` to run."""

    def __init__(
        self,
        places: Places,
        host: Host,
        guest: Guest,
        contact: Contact,
        conf: typing.Any,
        *,
        heartbeat_interval: float,
    ) -> None:
        files.directory(places.state)
        self.boot = state.next_boot(places)
        state.save_guest(places, guest)
        self._who = identity.ensure(places, host, guest.instance)
        self._places, self._host = places, host
        load = functools.partial(load_engine, guest.agent, host)
        self.addresses = _addresses(host, conf.guest)
        self.routes = Routes(host) if conf.guest.several_networks else None
        self.ledger = Ledger(places.jobs)
        self.jobs = Jobs(places, self.ledger, host, changed=self._changed)
        self.watch = Watch(
            *(load, guest.data),
            idle=lambda: self.reporter.idle(),
            seen=lambda: self.heartbeat.wake(),
        )
        self.reporter = Reporter(
            *(places, self.ledger, self.watch),
            boot=self.boot,
            version=version(),
            certificate=lambda: (self.renewals.expires, self._ailment()),
        )
        self.link = Link(
            places,
            host,
            _broker(places, conf, guest, contact),
            self._who,
            contact.bootstrap,
            self._manager(load, guest.data),
            up=self._up,
            check=_check(conf.guest.commands_key, guest.instance),
        )
        self.renewals = Renewals(
            *(places, host, guest.instance, guest.user),
            ask=self.link.renew,
            engine=load,
            ready=lambda: self.reporter.course.prepared,
        )
        self.heartbeat = Heartbeat(self.reporter, self.link.report, heartbeat_interval)
        self._take_up()

    def _manager(self, load: typing.Callable[[], Engine], volume: str) -> Manager:
        desk = accounts.Desk(
            functools.cache(load),
            accounts.unsealer(lambda: identity.load(self._places).private_key),
            ready=lambda: self.reporter.course.prepared,
        )
        self.logs = Logs(
            self._places,
            self._host,
            desk.engine,
            desk.tickets,
            accounts.unsealer(lambda: identity.load(self._places).private_key),
        )
        self.archiving = Archiving(
            self._places, self._host, lambda report: self.link.archived(report)
        )
        return Manager(
            *(self.ledger, self.jobs, self._ring, desk, self.logs),
            tls=lambda: identity.shown(self._places),
            shelf=Shelf(self._places),
            copies=Keeps(self._host, volume).shown,
            archiving=self.archiving,
        )

    @property
    def parts(self) -> list[Part]:
        """In the order they start; the heartbeat begins when the link is up."""
        return [
            *([self.addresses] if self.addresses else []),
            *([self.routes] if self.routes else []),
            self.jobs,
            self.watch,
            self.link,
            self.renewals,
            self.logs,
            self.archiving,
            self.heartbeat,
        ]

    def _ailment(self) -> str:
        """What is wrong beside the database itself."""
        return self.renewals.fault or (self.addresses.fault if self.addresses else "")

    def _take_up(self) -> None:
        """The first job of a start: the volume mounted, the engine running."""
        waiting = self.ledger.last("take_up")
        if state.load_course(self._places).prepared and waiting is None:
            self.ledger.accept(f"{OWN}{self.boot}/take_up", "take_up", {})

    def _changed(self) -> None:
        self.watch.ring(stale=self.reporter.changed())
        self.renewals.ring()
        self.heartbeat.ring()

    def _ring(self) -> None:
        self.heartbeat.ring()

    def _up(self) -> None:
        self.renewals.ring()
        self.heartbeat.ring()


def _addresses(host: Host, about: typing.Any) -> Addresses | None:
    """For a guest that has any beside its card's own."""
    card, wanted = about.card, about.virtual_addresses
    return Addresses(host, card, wanted) if card and wanted else None


def _check(key: str | None, instance: str) -> Check | None:
    return Verifier(key, instance).check if key else None


def _broker(places: Places, conf: typing.Any, guest: Guest, contact: Contact) -> Broker:
    locks = places.state / "locks"
    files.directory(locks)
    return Broker(
        conf,
        guest.instance,
        hosts=contact.hosts,
        vhost=contact.vhost,
        user=contact.user,
        ca_file=contact.ca_file,
        lock_path=str(locks),
    )
