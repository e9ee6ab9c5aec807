# SPDX-License-Identifier: Apache-2.0
"""What a create asks for, checked by the rules of its datastore."""

import dataclasses
import ipaddress
import typing

from trove import errors
from trove.datastores.spec import Datastore
from trove.model.operations import NewDatabase, NewUser


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
    access: dict[str, typing.Any] | None = None
    databases: tuple[NewDatabase, ...] = ()
    users: tuple[NewUser, ...] = ()


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
    _check_databases(order.databases, datastore)
    _check_users(order, datastore)


def _check_databases(databases: tuple[NewDatabase, ...], datastore: Datastore) -> None:
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


def _check_users(order: Order, datastore: Datastore) -> None:
    naming = datastore.naming
    known: set[str] = set()
    there = {database.name for database in order.databases}
    for user in order.users:
        naming.check_user(user.name)
        naming.check_password(user.password)
        if user.name in known:
            raise errors.Invalid(f"The user {user.name} is there twice.")
        known.add(user.name)
        if user.host != "%":
            if not naming.hosts:
                raise errors.Invalid(
                    f"The user {user.name} has a host; {datastore.name} knows none."
                )
            check_host(user.host)
        strange = [name for name in user.databases if name not in there]
        if strange:
            raise errors.Invalid(
                f"The user {user.name} refers to the database {strange[0]}, which is "
                "not among those to be made."
            )
        if len(set(user.databases)) < len(user.databases):
            raise errors.Invalid(f"The user {user.name} has a database twice.")


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
