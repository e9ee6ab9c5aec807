# SPDX-License-Identifier: Apache-2.0
"""Exports: dumps of an instance's databases, brought to its project's own container.

The caller's token makes the container and, of each database, the object that it is
downloaded by, which has nothing in it until the guest brings parts. Then the container
is lent for the operation (``storage.lent``): no token is kept, and no guest has one.
"""

import contextlib
import dataclasses
import typing

from sqlalchemy import orm

from trove import errors
from trove.actions import begin
from trove.actions.accounts import Running
from trove.actions.begin import Token
from trove.actions.instances import refuse_unable
from trove.actions.services import Services
from trove.actions.strategies import check_container
from trove.context import Context
from trove.datastores.spec import Datastore
from trove.db.queries import instances
from trove.model import operations
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
    if begin.earlier(services, context.project or "", token) is not None:
        return
    check_container(order.container)
    _check_name(order.name)
    with services.database.reading() as tx:
        seen = instances.seen(tx, id, project)
        refuse_unable(services, seen)
        owner = seen.instance.project
    if owner != context.project:
        raise errors.Forbidden(what="export what is another project's")
    running = Running(services, context, id, project)
    spec = running.datastore
    if not spec.can.dump:
        raise errors.NotSupported(datastore=spec.name, what="exports")
    chosen = _chosen(services, running, order)
    wanted = dumps.Names(order.name, chosen, spec.dumped)
    place = _lent(services, order, wanted, store)
    input = operations.Export(order.name, chosen, dataclasses.asdict(place)).to_dict()

    def work(tx: orm.Session) -> tuple[str, str]:
        refuse_unable(services, instances.seen(tx, id, project))
        instances.move(tx, id, Task.BACKING_UP)
        return begin.open(tx, context, operations.EXPORT, owner, id, input, token), id

    begin.begin(services, context, context.project or "", token, work)


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
    refused in the end is no dump, and another export takes them over.
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
