# SPDX-License-Identifier: Apache-2.0
"""What a create asks for, checked by the rules of its datastore."""

import dataclasses
import ipaddress
import typing

from trove import errors
from trove.datastores.spec import Datastore
from trove.model.operations import NewDatabase, NewUser


@dataclasses.dataclass(frozen=True, slots=True)
class RestorePoint:
    """A moment of an instance (seconds since the epoch), or a point that somebody gave
    a name in its log."""

    instance: str
    time: float | None = None
    point: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """A create, as the API read it. Sizes in GiB."""

    name: str
    flavor: str
    volume_size: int | None = None
    volume_type: str | None = None
    datastore: str | None = None
    version: str | None = None
    version_number: str | None = None
    nic: dict[str, typing.Any] | None = None
    availability_zone: str | None = None
    region: str | None = None
    locality: str | None = None
    configuration: str | None = None
    access: dict[str, typing.Any] | None = None
    databases: tuple[NewDatabase, ...] = ()
    users: tuple[NewUser, ...] = ()
    modules: tuple[str, ...] = ()
    deletion_protection: bool = False
    restore: str | None = None
    """The backup that its data come from."""
    restore_point: RestorePoint | None = None
    """The moment that its data are of; ``restore`` follows from it."""
    backup_policy: dict[str, typing.Any] | None = None
    """What is said of its backups (``actions.schedules.Wish``); None: nothing is."""


def check_volume(order: Order, datastore: Datastore, largest: int) -> None:
    """Asked for where there must be one, refused where there can be none."""
    if not datastore.can.volume:
        if order.volume_size is not None:
            raise errors.NotSupported(datastore=datastore.name, what="a volume")
        return
    if order.volume_size is None:
        raise errors.Invalid("Volume size was not specified.")
    if order.volume_size > largest:
        raise errors.OverLimit(
            f"A volume of {order.volume_size} GiB is larger than the {largest} GiB "
            "that are allowed."
        )


def check_accounts(order: Order, datastore: Datastore) -> None:
    """Names, passwords, hosts and references of the databases and users asked for."""
    if order.databases and not datastore.can.databases:
        raise errors.NotSupported(datastore=datastore.name, what="databases")
    if order.users and not datastore.can.users:
        raise errors.NotSupported(datastore=datastore.name, what="users")
    check_databases(order.databases, datastore)
    check_users(order.users, datastore)
    there = {database.name for database in order.databases}
    for user in order.users:
        strange = [name for name in user.databases if name not in there]
        if strange:
            raise errors.Invalid(
                f"The user {user.name} refers to the database {strange[0]}, which is "
                "not among those to be made."
            )


def check_databases(
    databases: typing.Sequence[NewDatabase], datastore: Datastore
) -> None:
    """Names that the datastore knows and no two alike, in character sets it has."""
    known: set[str] = set()
    for database in databases:
        datastore.naming.check_database(database.name)
        if database.name in known:
            raise errors.Invalid(f"The database {database.name} is there twice.")
        known.add(database.name)
        charset = database.character_set
        if charset and datastore.character_sets:
            if charset.lower() not in datastore.character_sets:
                raise errors.Invalid(
                    f"The character set of the database {database.name} is not known."
                )


def check_users(users: typing.Sequence[NewUser], datastore: Datastore) -> None:
    """Names, passwords and hosts that the datastore knows, and no two names alike."""
    naming = datastore.naming
    known: set[str] = set()
    for user in users:
        naming.check_user(user.name)
        naming.check_password(user.password)
        if user.name in known:
            raise errors.Invalid(f"The user {user.name} is there twice.")
        known.add(user.name)
        check_host_of(user.name, user.host, datastore)
        if user.databases and not datastore.can.databases:
            raise errors.NotSupported(datastore=datastore.name, what="databases")
        for name in user.databases:
            naming.check_database(name)
        if len(set(user.databases)) < len(user.databases):
            raise errors.Invalid(f"The user {user.name} has a database twice.")


def check_host_of(user: str, host: str, datastore: Datastore) -> None:
    """A user has a host only where the datastore knows of hosts."""
    if host == "%":
        return
    if not datastore.naming.hosts:
        raise errors.Invalid(
            f"The user {user} has a host; {datastore.name} knows none."
        )
    check_host(host)


def check_host(host: str) -> None:
    """A user's host is ``%`` or an address, with ``%`` for a part of it."""
    text = host.replace("%", "0") if host != "%" else "0.0.0.0"  # noqa: S104
    octets = text.split(".")
    if len(octets) < 4 and host.endswith("%"):
        octets += ["0"] * (4 - len(octets))
    try:
        ipaddress.IPv4Address(".".join(octets))
    except ValueError:
        raise errors.Invalid(
            "The host of a user must be % or an IPv4 address, which may end in %."
        ) from None
