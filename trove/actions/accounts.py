# SPDX-License-Identifier: Apache-2.0
"""Databases, users and grants of an instance: looked at and changed in its guest.

What a user wrote is checked here by the rules of the datastore, so that a wrong name is
refused before anybody is asked. New passwords leave this process sealed for the guest.
"""

import functools
import itertools
import typing

from trove import errors
from trove.actions import instances as actions
from trove.actions import orders
from trove.actions.deeds import Beside, Deeds, Do, absent
from trove.actions.services import Services
from trove.context import Context
from trove.datastores import registry
from trove.db.queries import instances
from trove.db.tables import Guest
from trove.model.operations import NewDatabase, NewUser
from trove.rpc import sealing
from trove.rpc.messages import DatabaseOrder, Sealed, UserShown

RUNNING = frozenset({"HEALTHY", "ACTIVE", "BLOCKED"})
"""Of a database, by its ``operating_status``, that can be asked for its accounts."""

ROUNDS = 4
"""How often a guest is asked for one page: long names may not fit into one message."""

LONGEST_HOST = 255
MOST_TOLD = 20
"""Names in one event."""

Item = typing.TypeVar("Item")
User = UserShown
Who = tuple[str, str]
"""A user's name and host."""


class Running:
    """One instance whose database runs, for one who may ask for it.

    Raises ``errors.InstanceNotReady`` for one that does not run.
    """

    def __init__(
        self, services: Services, context: Context, id: str, project: str | None
    ) -> None:
        with services.database.reading() as tx:
            seen = instances.seen(tx, id, project)
        shown, operating = actions.status(services, seen)
        if operating not in RUNNING or seen.version is None:
            raise errors.InstanceNotReady(instance=id, status=operating or shown)
        self.id = id
        self._ram, self._vcpus = seen.instance.ram, seen.instance.vcpus or 1
        self.datastore = registry.get(seen.version.manager)
        self.guest = services.guest(id, context)
        self._services = services
        self._deeds = Deeds(services, context, id)

    def change(
        self, kind: str, do: Do, beside: Beside | None = None, **about: typing.Any
    ) -> bool:
        """A change in the guest, and the event that says so (``actions/deeds.py``)."""
        return self._deeds.carry(kind, do, about, beside)

    def defaults(self) -> dict[str, typing.Any]:
        """What it is configured with where no group says otherwise."""
        found: dict[str, typing.Any] = self.guest.defaults(self._ram, self._vcpus)
        return found

    # -- databases

    def databases(self, limit: int, after: str | None) -> tuple[list[str], str | None]:
        """A page of names, and the next one's marker."""
        self._can("databases")
        return _page(self.guest.list_databases, str, limit, after)

    def database(self, name: str) -> str:
        """Its name, if there is one of that name."""
        if not self.has_database(name):
            raise errors.DatabaseNotFound(database=name)
        return name

    def has_database(self, name: str) -> bool:
        """Whether there is one of that name, which it may have."""
        self._check_database(name)
        return bool(self.guest.has_database(name))

    def create_databases(self, databases: typing.Sequence[NewDatabase]) -> None:
        """All of them, or none; none at all is no question."""
        self._can("databases")
        orders.check_databases(databases, self.datastore)
        if not databases:
            return
        wanted = [DatabaseOrder(d.name, d.character_set, d.collate) for d in databases]

        def do(again: bool) -> None:
            self.guest.create_databases(tuple(wanted), **_again(again))

        told = _told(d.name for d in databases)
        self.change("databases_create", do, databases=told)

    def delete_database(self, name: str) -> None:
        """With all that is in it."""
        self._check_database(name)
        ask = functools.partial(self.guest.delete_database, name)
        self.change("database_delete", lambda again: absent(again, ask), database=name)

    # -- users

    def users(
        self, limit: int, after: str | None
    ) -> tuple[list[UserShown], str | None]:
        """A page of users, and the next one's marker, ``name@host``."""
        self._can("users")
        return _page(self.guest.list_users, _identity, limit, after)

    def user(self, given: str) -> UserShown:
        """The user that a path names."""
        name, host = self._who(given)
        found: UserShown | None = self.guest.show_user(name, host)
        if found is None:
            raise errors.UserNotFound(user=f"{name}@{host}")
        return found

    def create_users(self, users: typing.Sequence[NewUser]) -> None:
        """All of them, or none."""
        self._can("users")
        orders.check_users(users, self.datastore)
        if users:
            made = [
                {
                    "name": user.name,
                    "host": user.host,
                    "password": user.password,
                    "databases": list(user.databases),
                }
                for user in users
            ]
            sealed = self.sealed({"users": made})
            self.change(
                "users_create",
                lambda again: self.guest.create_users(sealed, **_again(again)),
                users=_told(u.name for u in users),
            )

    def change_passwords(self, users: typing.Sequence[NewUser]) -> None:
        """Of all of these users, or of none."""
        self._can("users")
        orders.check_users(users, self.datastore)
        if users:
            self._change(
                [
                    ((user.name, user.host), {"password": user.password})
                    for user in users
                ]
            )

    def change_user(
        self, given: str, name: str | None, host: str | None, password: str | None
    ) -> None:
        """Another name, host or password; what is said again is no change."""
        old = self._who(given)
        if name is not None:
            self.datastore.naming.check_user(name)
        if host is not None:
            orders.check_host_of(name or old[0], host, self.datastore)
        if password is not None:
            self.datastore.naming.check_password(password)
        wanted = {"name": name, "host": host, "password": password}
        present = {"name": old[0], "host": old[1], "password": None}
        new = {
            key: value
            for key, value in wanted.items()
            if value is not None and value != present[key]
        }
        if not new:
            # Heat goes on when it reads these words
            raise errors.Invalid("No change was requested.")
        self._change([(old, new)])

    def delete_user(self, given: str) -> None:
        """The account; what it made stays."""
        who = self._who(given)
        ask = functools.partial(self.guest.delete_user, *who)
        self.change("user_delete", lambda again: absent(again, ask), of="@".join(who))

    # -- grants

    def grant(self, given: str, databases: typing.Sequence[str]) -> None:
        """These databases, beside those the user has."""
        who = self._who(given)
        for name in databases:
            self._check_database(name)
        wanted = tuple(dict.fromkeys(databases))
        self.change(
            "user_grant",
            lambda again: self.guest.grant(*who, wanted),
            of="@".join(who),
            databases=_told(databases),
        )

    def revoke(self, given: str, database: str) -> None:
        """This database."""
        who = self._who(given)
        self._check_database(database)
        ask = functools.partial(self.guest.revoke, *who, database)
        self.change(
            "user_revoke",
            lambda again: absent(again, ask),
            of="@".join(who),
            databases=[database],
        )

    # -- what they share

    def sealed(self, secret: dict[str, typing.Any]) -> Sealed:
        """For this guest alone."""
        with self._services.database.reading() as tx:
            guest = tx.get(Guest, self.id)
            key = None if guest is None else guest.public_key
        if key is None:
            raise errors.InstanceNotReady(instance=self.id, status="NEW")
        return Sealed(sealing.seal(key, secret))

    def _change(self, changes: list[tuple[Who, dict[str, str]]]) -> None:
        users = [
            {"name": name, "host": host, "new": new} for (name, host), new in changes
        ]
        sealed = self.sealed({"users": users})
        self.change(
            "users_change",
            lambda again: self.guest.change_users(sealed, **_again(again)),
            users=_told("@".join(who) for who, _ in changes),
        )

    def _can(self, what: str) -> None:
        if not getattr(self.datastore.can, what):
            raise errors.NotSupported(datastore=self.datastore.name, what=what)

    def _check_database(self, name: str) -> None:
        self._can("databases")
        self.datastore.naming.check_database(name)

    def _who(self, given: str) -> Who:
        """Of ``name@host`` or a name alone, as clients write it into a path."""
        self._can("users")
        name, at, host = given.rpartition("@")
        if not at or not (self.datastore.naming.hosts or host in ("", "%")):
            # where there are no hosts, an @ is one more character
            name, host = given, "%"
        self.datastore.naming.check_user(name)
        if len(host) > LONGEST_HOST or not host.isprintable():
            raise errors.Invalid("The host of a user cannot be that.")
        return name, host or "%"


def _told(names: typing.Iterable[str]) -> list[str]:
    """So many as a line of history holds; an order may have a thousand."""
    return list(itertools.islice(names, MOST_TOLD))


def _again(again: bool) -> dict[str, bool]:
    """A guest that does not know the word yet is not told it without need."""
    return {"again": True} if again else {}


def _identity(user: UserShown) -> str:
    return f"{user.name}@{user.host}"


def _page(
    ask: typing.Callable[[int, str | None], typing.Sequence[Item]],
    marker: typing.Callable[[Item], str],
    limit: int,
    after: str | None,
) -> tuple[list[Item], str | None]:
    """One more than the page, to know of the next; a guest may give fewer at once."""
    found: list[Item] = []
    for _ in itertools.repeat(None, ROUNDS):
        more = ask(limit + 1 - len(found), after)
        found += more
        if not more or len(found) > limit:
            following = marker(found[limit - 1]) if len(found) > limit else None
            return found[:limit], following
        after = marker(found[-1])
    return found, after
