# SPDX-License-Identifier: Apache-2.0
"""What the datastore cannot have is refused before anything is made."""

import dataclasses
import typing

import pytest

from trove import errors
from trove.actions import orders
from trove.actions.orders import Order
from trove.datastores.spec import Can, Datastore, Naming
from trove.model.operations import NewDatabase, NewUser

DATASTORE = Datastore(
    name="toy",
    port=1,
    user="toy",
    data="/srv/toy",
    can=Can(),
    naming=Naming(max_user=8, max_database=8, reserved_users=frozenset({"root"})),
    agent="nowhere",
    character_sets=frozenset({"utf8"}),
)


def order(**about: typing.Any) -> Order:
    return Order(**{"name": "a", "flavor": "1", **about})


def able(**can: bool) -> Datastore:
    return dataclasses.replace(DATASTORE, can=Can(**can))


def test_volumes() -> None:
    orders.check_volume(order(volume_size=5), DATASTORE, 5)
    orders.check_volume(order(), able(volume=False), 5)
    with pytest.raises(errors.Invalid, match="Volume size was not specified"):
        orders.check_volume(order(), DATASTORE, 5)
    with pytest.raises(errors.OverLimit):
        orders.check_volume(order(volume_size=6), DATASTORE, 5)
    with pytest.raises(errors.Unsupported):
        orders.check_volume(order(volume_size=1), able(volume=False), 5)


@pytest.mark.parametrize(
    "databases, users, why",
    [
        ([NewDatabase("a" * 9)], [], "at most 8"),
        ([NewDatabase("a"), NewDatabase("a")], [], "twice"),
        ([NewDatabase("a", "klingon")], [], "character set"),
        ([], [NewUser("root", "p")], "reserved"),
        ([], [NewUser("u", "p" * 300)], "at most 256"),
        ([], [NewUser("u", "p"), NewUser("u", "q", "10.0.0.1")], "twice"),
        ([], [NewUser("u", "p", databases=("a",))], "refers to"),
        ([NewDatabase("a")], [NewUser("u", "p", databases=("a", "a"))], "twice"),
        ([], [NewUser("u", "p", "foo.bar")], "host"),
    ],
)
def test_accounts_that_cannot_be(
    databases: list[NewDatabase], users: list[NewUser], why: str
) -> None:
    asked = order(databases=tuple(databases), users=tuple(users))
    with pytest.raises(errors.Invalid, match=why) as told:
        orders.check_accounts(asked, DATASTORE)
    assert "ppp" not in told.value.message


def test_a_user_of_databases_where_there_are_none() -> None:
    datastore = able(databases=False)
    orders.check_users([NewUser("u", "p")], datastore)
    with pytest.raises(errors.NotSupported, match="databases"):
        orders.check_users([NewUser("u", "p", databases=("a",))], datastore)


def test_accounts_that_can() -> None:
    asked = order(
        databases=(NewDatabase("a", "UTF8"), NewDatabase("b")),
        users=(NewUser("u", "p", "10.0.0.%", ("a", "b")), NewUser("v", "'\"\\ %")),
    )
    orders.check_accounts(asked, DATASTORE)


def test_a_datastore_without_accounts() -> None:
    with pytest.raises(errors.Unsupported):
        orders.check_accounts(order(users=(NewUser("u", "p"),)), able(users=False))
    with pytest.raises(errors.Unsupported):
        orders.check_accounts(
            order(databases=(NewDatabase("d"),)), able(databases=False)
        )


@pytest.mark.parametrize("host", ["%", "10.0.0.1", "10.0.0.%", "10.%", "10%"])
def test_hosts(host: str) -> None:
    orders.check_host(host)


@pytest.mark.parametrize("host", ["", "foo", "foo.bar", "%.example.org", "10.0.0.300"])
def test_no_hosts(host: str) -> None:
    with pytest.raises(errors.Invalid):
        orders.check_host(host)
