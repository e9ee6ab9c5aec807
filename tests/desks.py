# SPDX-License-Identifier: Apache-2.0
"""Guests that can be asked for their accounts, without a machine and without a wire.

The agent's own desk and manager stand over ``tests.tenants``; both ends of the relay
are the real ones.
"""

import pathlib
import typing

from tests.tenants import Engine
from trove import errors
from trove.datastores import registry
from trove.datastores.protocol import ENFORCED, Source
from trove.guestagent import machine
from trove.guestagent.accounts import Desk, unsealer
from trove.guestagent.host import Host
from trove.guestagent.logs import Logs
from trove.guestagent.manager import Manager
from trove.guestagent.modules.shelf import Shelf
from trove.guestagent.places import Places
from trove.model.states import Modular
from trove.rpc import sealing
from trove.rpc.messages import CopyShown, ModuleOrder, TlsShown
from trove.rpc.relay import Line, Relay

Any = typing.Any


class _Proxy:
    """Asks a manager in this process; a guest that sleeps is silent."""

    def __init__(self, desks: "Desks", instance: str, context: Any) -> None:
        self._desks, self._instance, self._context = desks, instance, context

    def __getattr__(self, name: str) -> Any:
        def ask(*given: Any, **named: Any) -> Any:
            desks = self._desks
            if self._instance in desks.silent:
                raise errors.GuestSilent(instance=self._instance)
            if self._instance in desks.sick:
                raise errors.EngineFailed(why="near 'IDENTIFIED BY hunter2'")
            if name != "ticket":
                desks.asked.append(name)
            manager = desks.managers[self._instance]
            return getattr(manager, name)(self._context, *given, **named)

        return ask


class Desks:
    """All guests of a test."""

    def __init__(self, home: pathlib.Path | None = None) -> None:
        self.home = home
        """Where guests have their logs; without it they have none."""
        self.engines: dict[str, Engine] = {}
        self.certificates: dict[str, str] = {}
        """What guests serve with, PEM."""
        self.brought: dict[str, str] = {}
        """The mode of those that serve with what a user brought."""
        self.copies: dict[str, list[CopyShown]] = {}
        """What upgrades left on guests' volumes."""
        self.asked: list[str] = []
        """The methods that guests were asked."""
        self.silent: set[str] = set()
        self.sick: set[str] = set()
        """Those whose engine fails at all it is asked for."""
        self.managers: dict[str, Manager] = {}
        self.facts = machine.machine()
        """Of all machines: of this one, at rest, so that two looks are the same."""
        self.accounts: dict[str, Any] = {}
        """By instance: its ``tests.tenants.Tenants``."""
        self.said: list[Any] = []
        """All that went over the wire between the API and a taskmanager."""
        self._relay = Relay(lambda id, context: _Proxy(self, id, context))

    def born(self, instance: str, datastore: str) -> str:
        """A new guest; its public key."""
        private, public = sealing.keypair()
        engine = Engine(registry.get(datastore).naming)
        desk = Desk(lambda: engine, unsealer(lambda: private), lambda: True)
        nothing: Any = None
        logs = None
        if self.home is not None:
            home = self.home / instance
            home.mkdir(parents=True, exist_ok=True)
            engine.sources = {
                log.name: Source(path=str(home / f"{log.name}.log"))
                for log in registry.get(datastore).logs
            }
            logs = Logs(
                self._places(instance),
                Host(),
                lambda: engine,
                desk.tickets,
                unsealer(lambda: private),
            )
        self.engines[instance] = engine
        self.managers[instance] = Manager(
            nothing,
            nothing,
            accounts=desk,
            logs=logs,
            tls=lambda: self._shown(instance),
            copies=lambda: tuple(self.copies.get(instance, ())),
            facts=lambda: self.facts,
            shelf=None if self.home is None else Shelf(self._places(instance)),
        )
        self.accounts[instance] = engine.accounts
        return public

    def _shown(self, instance: str) -> TlsShown:
        mode = self.brought.get(instance)
        certificate = self.certificates.get(instance)
        return TlsShown(mode or ENFORCED, certificate, mode is not None)

    def _places(self, instance: str) -> Places:
        state = typing.cast(pathlib.Path, self.home) / instance / "state"
        state.mkdir(parents=True, exist_ok=True)
        return Places(state=state)

    def applied(self, instance: str, module: ModuleOrder, message: str) -> None:
        """Its driver has said so."""
        Shelf(self._places(instance)).put(module, Modular.OK, message)

    def guest(self, instance: str, context: Any) -> Line:
        """What the API's services hold."""
        return Line(_Taskmanager(self, context), instance)

    def relayed(self, context: Any, instance: str, question: Any) -> Any:
        self.said.append(question.arguments)
        return self._relay.ask(context, instance, question)


class _Taskmanager:
    def __init__(self, desks: Desks, context: Any) -> None:
        self._desks, self._context = desks, context

    def ask_guest(self, instance: str, question: Any) -> Any:
        return self._desks.relayed(self._context, instance, question)
