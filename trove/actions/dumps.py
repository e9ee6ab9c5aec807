# SPDX-License-Identifier: Apache-2.0
"""Dumps of databases: brought to a container of their project's own, loaded out of it.

The container is lent for the operation (``storage.lent``), with the caller's token: no
token is kept, and no guest has one. For an export the token also makes, of each
database, the object that it is downloaded by, which has nothing in it until the guest
brings parts.
"""

import contextlib
import dataclasses
import typing

from sqlalchemy import orm

from trove import errors
from trove.actions import begin, dumpnames
from trove.actions.accounts import Running
from trove.actions.begin import Token
from trove.actions.instances import refuse_unable
from trove.actions.services import Services
from trove.actions.strategies import check_container
from trove.context import Context
from trove.datastores.spec import Datastore
from trove.db.queries import instances
from trove.model import operations
from trove.model.dumps import Export, Import
from trove.model.states import Task
from trove.storage import dumps
from trove.storage.lent import Place
from trove.storage.protocol import ObjectStore
from trove.storage.vault import names

Store = typing.Callable[[], ObjectStore]


class ThereAlready(errors.Clash):
    """Something has that name, and nobody's dump is written over."""

    sentence = (
        "There is something in {container} already whose name begins with {name}/"
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """A dump that is asked for; no ``databases``: of all that there are."""

    container: str
    name: str
    databases: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Loading:
    """A dump that is to be loaded: an object, and the database that it becomes."""

    container: str
    name: str
    database: str


def export(
    services: Services,
    context: Context,
    id: str,
    project: str | None,
    order: Order,
    store: Store,
    token: Token | None = None,
) -> None:
    """NONE -> BACKING_UP, once the container is lent."""
    asked = _Asked(services, context, id, project, token)
    if asked.before():
        return
    check_container(order.container)
    _check_name(order.name)
    running = asked.running("exports")
    chosen = _chosen(services, running, order)
    wanted = dumps.Names(order.name, chosen, running.datastore.dumped)
    owner = context.project or ""
    reserved = dumpnames.reserve(services, owner, order.container, order.name, token)
    try:
        place = _lent(services, order, wanted, store)
        input = Export(order.name, chosen, dataclasses.asdict(place)).to_dict()
        asked.begin(operations.EXPORT, Task.BACKING_UP, input, reserved.taken)
    except errors.TroveError:
        reserved.release(services)
        raise


def load(
    services: Services,
    context: Context,
    id: str,
    project: str | None,
    order: Loading,
    store: Store,
    token: Token | None = None,
) -> None:
    """NONE -> UPDATING: a database that is not there yet is made of a dump that is."""
    asked = _Asked(services, context, id, project, token)
    if asked.before():
        return
    check_container(order.container)
    names.checked(order.name)
    running = asked.running("imports")
    running.datastore.naming.check_database(order.database)
    if not services.rehearsed and running.has_database(order.database):
        raise errors.Clash(what="Database", id=order.database)
    size, place = _found(services, order, store)
    plain = dataclasses.asdict(place)
    input = Import(order.name, size, order.database, plain).to_dict()
    asked.begin(operations.IMPORT, Task.UPDATING, input)


@dataclasses.dataclass(frozen=True, slots=True)
class _Asked:
    """Who asks for a dump, or for one to be loaded, and of which instance."""

    services: Services
    context: Context
    id: str
    project: str | None
    token: Token | None

    def before(self) -> bool:
        """Whether this very request has begun an operation already."""
        owner = self.context.project or ""
        return begin.earlier(self.services, owner, self.token) is not None

    def running(self, what: str) -> Running:
        """An instance of the caller's own project, which is at rest and has dumps."""
        with self.services.database.reading() as tx:
            seen = instances.seen(tx, self.id, self.project)
            refuse_unable(self.services, seen)
        if seen.instance.project != self.context.project:
            raise errors.Forbidden(what="have a dump of what is another project's")
        running = Running(self.services, self.context, self.id, self.project)
        if not running.datastore.can.dump:
            raise errors.NotSupported(datastore=running.datastore.name, what=what)
        return running

    def begin(
        self,
        kind: str,
        task: Task,
        input: dict[str, typing.Any],
        first: typing.Callable[[orm.Session], None] = lambda tx: None,
    ) -> None:
        """The operation, in a transaction that begins with ``first``."""

        def work(tx: orm.Session) -> tuple[str, str]:
            first(tx)
            seen = instances.seen(tx, self.id, self.project)
            refuse_unable(self.services, seen)
            instances.move(tx, self.id, task)
            owner, token = seen.instance.project, self.token
            opened = begin.open(tx, self.context, kind, owner, self.id, input, token)
            return opened, self.id

        owner = self.context.project or ""
        begin.begin(self.services, self.context, owner, self.token, work)


def _check_name(name: str) -> None:
    names.checked(name)
    if len(name.encode()) > dumps.LONGEST:
        raise errors.Invalid(
            f"The name of a dump must have at most {dumps.LONGEST} bytes."
        )


def _chosen(services: Services, running: Running, order: Order) -> tuple[str, ...]:
    """Each of them is there; some, and not too many."""
    if order.databases is None:
        # in a rehearsal no guest is asked, and nothing is kept of what is chosen
        found = [] if services.rehearsed else _all(running)
    else:
        found = list(order.databases)
        _refuse_twice(found, running.datastore)
        if not services.rehearsed:
            found = [running.database(name) for name in found]
    if len(found) > dumps.MOST:
        raise errors.Invalid(
            f"A dump has at most {dumps.MOST} databases: say which of them."
        )
    if not found and not services.rehearsed:
        raise errors.Invalid("There is no database to export.")
    return tuple(found)


def _all(running: Running) -> list[str]:
    """Their names, or one more of them than a dump may have."""
    found: list[str] = []
    marker: str | None = None
    while len(found) <= dumps.MOST:
        some, marker = running.databases(dumps.MOST + 1 - len(found), marker)
        found += some
        if marker is None:
            break
    return found


def _refuse_twice(found: list[str], datastore: Datastore) -> None:
    for name in found:
        datastore.naming.check_database(name)
    if len(set(found)) < len(found):
        raise errors.Invalid("A database is named twice.")


def _lent(services: Services, order: Order, wanted: dumps.Names, store: Store) -> Place:
    """The container, with what each database is downloaded by.

    Those are nothing until something is brought. What is left of them when an export is
    refused in the end is no dump, and another export takes them over: not before, for
    the name is held.
    """
    if services.rehearsed:
        return Place("", order.container, "")
    with contextlib.closing(store()) as there:
        place = there.lend(order.container)
        if there.holds(order.container, wanted.prefix):
            raise ThereAlready(container=order.container, name=order.name)
        for index in range(len(wanted.databases)):
            parts = wanted.parts(index)
            there.link(order.container, wanted.object(index), parts)
    return place


def _found(services: Services, order: Loading, store: Store) -> tuple[int, Place]:
    """The bytes of a dump that is there, and its container."""
    if services.rehearsed:
        return 1, Place("", order.container, "")
    with contextlib.closing(store()) as there:
        size = there.size(order.container, order.name)
        if size is None:
            raise errors.NotFound(what="Object", id=f"{order.container}/{order.name}")
        if not size:
            raise errors.Invalid(f"There is nothing in {order.name}: it is no dump.")
        return size, there.lend(order.container)
