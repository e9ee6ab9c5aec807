# SPDX-License-Identifier: Apache-2.0
"""Every event is told, in order, under one id; what could not be told is told later."""

import pytest
import sqlalchemy as sa

from trove import errors
from trove.db.tables import Event, Instance
from trove.taskmanager.outbox import WITHIN, Outbox
from trove.workflow import journal


class Bus:
    """Keeps what it is told. ``away``: how many tellings fail from now on."""

    def __init__(self):
        self.wanted, self.away, self.told = True, 0, []

    def send(self, id, kind, payload, **about):
        if self.away:
            self.away -= 1
            raise errors.Unavailable(what="The bus of notifications")
        self.told.append((id, kind, payload, about))

    @property
    def kinds(self):
        return [kind for _, kind, _, _ in self.told]


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture
def outbox(house, bus):
    house.add(
        Instance(
            id="i",
            project="p",
            name="n",
            task="NONE",
            version_id="v",
            flavor_id="1",
            ram=512,
            server_id="s",
            volume_size=3,
            server_number=1,
            created=0,
            updated=0,
        )
    )
    return Outbox(house.database, bus)


def happened(house, kind, **payload):
    house.moment += 1
    with house.database.transaction() as tx:
        journal.event(tx, "i", kind, payload, "req-1")


def test_an_operation_from_its_beginning_to_its_end(house, bus, outbox):
    happened(house, "instance.create.accepted", operation="o", user="u")
    happened(house, "instance.create.end", operation="o")
    outbox.round()
    assert bus.kinds == [
        "dbaas.instance_create.start",
        "dbaas.instance_create.end",
        "trove.instance.create",
    ]
    _, _, payload, about = bus.told[0]
    assert payload["tenant_id"] == "p"
    assert payload["instance_id"] == "i"
    assert payload["user"] == "u"
    assert about == {
        "at": "1970-01-01 00:16:41.000000",
        "request_id": "req-1",
        "error": False,
    }
    usage = bus.told[2][2]
    assert usage["volume_size"] == 3
    assert usage["nova_instance_id"] == "s"
    assert "deleted_at" not in usage
    outbox.round()
    assert len(bus.told) == 3, "nothing is told twice"


def test_a_failure_is_an_error_with_its_sentence(house, bus, outbox):
    happened(house, "instance.resize_flavor.error", operation="o", fault="no room")
    outbox.round()
    ((_, kind, payload, about),) = bus.told
    assert kind == "dbaas.instance_resize_instance.error"
    assert payload["message"] == "no room" and about["error"]


def test_what_is_no_operation_has_its_own_name(house, bus, outbox):
    happened(house, "guest.silent")
    happened(house, "instance.root_enable", user="u")
    outbox.round()
    assert bus.kinds == ["dbaas.guest_silent", "dbaas.instance_root_enable"]


def test_a_bus_that_is_away_loses_nothing_and_keeps_the_order(house, bus, outbox):
    for number in range(4):
        happened(house, f"test.number{number}")
    bus.away = 1
    with pytest.raises(errors.Unavailable):
        outbox.round()
    assert bus.told == []
    outbox.round()
    assert bus.kinds == [f"dbaas.test_number{number}" for number in range(4)]


def test_who_dies_while_telling_is_followed_under_the_same_id(house, bus, outbox):
    happened(house, "instance.restart.end", operation="o")

    class Dies(BaseException):
        pass

    def die(*given, **about):
        Bus.send(bus, *given, **about)
        raise Dies

    bus.send = die

    def never(work):
        raise Dies

    run, house.database.run = house.database.run, lambda work: run(work)
    with pytest.raises(Dies):
        found = outbox._claimed()
        house.database.run = never
        outbox._tell(found)
    house.database.run = run
    del bus.send
    outbox.round()
    assert len(bus.told) == 1, "it is claimed for a while"
    house.moment += 61
    outbox.round()
    first, second = bus.told
    assert first[0] == second[0]


def test_what_is_no_news_is_told_to_nobody(house, bus, outbox):
    happened(house, "instance.create.end", operation="o")
    house.moment += WITHIN + 1
    happened(house, "instance.restart.end", operation="o")
    outbox.round()
    assert bus.kinds == ["dbaas.instance_restart.end"]
    with house.database.reading() as tx:
        assert tx.scalars(sa.select(Event.sent)).all() == [True, True]


def test_who_wants_nothing_costs_nothing(house, bus, outbox):
    happened(house, "instance.create.end", operation="o")
    bus.wanted = False
    outbox.round()
    with house.database.reading() as tx:
        assert tx.scalars(sa.select(Event.sent)).all() == [False]
