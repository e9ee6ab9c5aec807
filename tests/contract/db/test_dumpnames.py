# SPDX-License-Identifier: Apache-2.0
"""The name of a dump on each database: of many requests at once, one has it."""

import functools
import typing

from tests.contract.db.test_backups import at_once
from trove.actions import dumpnames
from trove.actions.dumpnames import Reserved, UnderWay
from trove.actions.services import Services
from trove.cloud.memory import MemoryCloud
from trove.db.session import Database

NAMES = ("a", "a/b", "a", "a/b/c")


def had(do: typing.Callable[[], Reserved]) -> Reserved | None:
    try:
        return do()
    except UnderWay:
        return None


def test_one_of_many_has_a_name(database: Database) -> None:
    services = Services(database, MemoryCloud(), print)
    ask = functools.partial(dumpnames.reserve, services, "demo", "mine")
    for _ in range(5):
        found = at_once(4, lambda n: had(functools.partial(ask, NAMES[n], None)))
        (one,) = filter(None, found)
        database.run(one.taken)


def test_names_that_are_not_in_each_others_way_are_held_at_once(
    database: Database,
) -> None:
    services = Services(database, MemoryCloud(), print)
    ask = functools.partial(dumpnames.reserve, services, "demo", "mine")
    found = at_once(4, lambda n: ask(f"a{n}", None))
    assert [one.name for one in found] == ["a0", "a1", "a2", "a3"]
    at_once(4, lambda n: database.run(found[n].taken))
