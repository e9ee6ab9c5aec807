# SPDX-License-Identifier: Apache-2.0
"""An address of a user's port is spoken for while that port has it, and no longer."""

import pytest
import sqlalchemy as sa

from tests.unit.taskmanager.test_housekeeping import instance
from tests.unit.taskmanager.test_reaper import thing
from trove.cloud import protocol
from trove.db.tables import Event
from trove.taskmanager.lending import Lending

ADDRESS = "10.9.0.50"


@pytest.fixture
def own(house):
    """The port of an instance with the address of the user's port ``u``."""
    house.cloud.lend("p", "net-1", ADDRESS, id="u")
    made = house.cloud.network.create_port("i.port", "net-1", (), pairs=(ADDRESS,))
    row = instance("i")
    row.port_id, row.nic = "u", {"port": "u", "virtual": [ADDRESS]}
    house.add(row, thing("i.port", "created", made.id))
    return made.id


def pairs(house, own):
    return house.cloud.network.show_port(own).pairs


def events(house):
    with house.database.reading() as tx:
        return list(tx.scalars(sa.select(Event.kind).order_by(Event.seq)))


def test_while_it_is_there_nothing_is_changed(house, own):
    calls = []
    house.cloud.before = lambda name, said: calls.append(name)
    Lending(house.database, house.cloud).round()
    assert set(calls) == {"network.show_port"}
    assert (pairs(house, own), events(house)) == ((ADDRESS,), [])


@pytest.mark.parametrize("change", ["gone", "another's", "another address"])
def test_one_that_has_it_no_more(house, own, change):
    made = house.cloud.world.made
    had = made["u"]
    if change == "gone":
        del made["u"]
    elif change == "another's":
        had.project = "q"
    else:
        had.addresses = ("10.9.0.51",)
    lending = Lending(house.database, house.cloud)
    lending.round()
    lending.round()
    assert pairs(house, own) == ()
    assert events(house) == ["instance.port_lost"], "once"
    had.project, had.addresses, made["u"] = "p", (ADDRESS,), had
    lending.round()
    assert pairs(house, own) == (ADDRESS,)
    assert events(house) == ["instance.port_lost", "instance.port_found"]


def test_a_cloud_that_cannot_say_changes_nothing(house, own):
    del house.cloud.world.made["u"]

    def away(name, said):
        raise protocol.Passing("503")

    house.cloud.before = away
    lending = Lending(house.database, house.cloud)
    lending.round()
    house.cloud.before = lambda name, said: None
    assert (pairs(house, own), events(house)) == ((ADDRESS,), [])
    lending.round()
    assert pairs(house, own) == ()


def test_one_whose_own_port_is_gone_is_a_deletes_matter(house, own):
    house.cloud.network.delete_port(own)
    Lending(house.database, house.cloud).round()
    assert events(house) == []


def test_others_are_not_asked_for(house):
    house.add(instance("j"))
    house.cloud.before = lambda name, said: pytest.fail(name)
    Lending(house.database, house.cloud).round()
