# SPDX-License-Identifier: Apache-2.0
"""What is told of a user's port, and what of it must still be so."""

import types

import pytest

from trove.cloud.memory import MemoryCloud
from trove.cloud.protocol import Refused
from trove.db.tables import Instance
from trove.flows import lent

ADDRESS = "10.9.0.50"


def instance(project="demo", **nic):
    whole = {"port": "p", "network": "net-1", "virtual": [ADDRESS], **nic}
    return Instance(id="i", project=project, port_id="p", nic=whole)


@pytest.fixture
def cloud():
    return MemoryCloud()


def look(cloud, row):
    lent.look(types.SimpleNamespace(cloud=cloud), row)


def test_a_port_that_is_as_it_was(cloud):
    cloud.lend("demo", "net-1", ADDRESS, id="p")
    look(cloud, instance())


@pytest.mark.parametrize(
    "project, address, server",
    [("other", ADDRESS, None), ("demo", "10.9.0.51", None), ("demo", ADDRESS, "s")],
)
def test_a_port_that_is_another_by_now(cloud, project, address, server):
    cloud.lend(project, "net-1", address, id="p", server=server)
    with pytest.raises(Refused):
        look(cloud, instance())


def test_a_port_that_is_gone(cloud):
    with pytest.raises(Refused, match="not there"):
        look(cloud, instance())


def test_nothing_is_asked_for_those_without(cloud):
    cloud.before = lambda name, said: pytest.fail(name)
    for nic in (None, {"network": "net-1"}):
        row = Instance(id="i", project="demo", nic=nic)
        look(cloud, row)
        assert lent.addresses(row) == ()
        assert lent.virtual(row, "fa:16:3e:00:00:01") is None
        assert [one["address"] for one in lent.shown(row, "n", ["10.9.0.2"])] == [
            "10.9.0.2"
        ]


def test_the_address_that_was_asked_for_is_shown_first():
    shown = lent.shown(instance(), "net-1", ["10.9.0.2"])
    assert [one["address"] for one in shown] == [ADDRESS, "10.9.0.2"]
    assert {(one["type"], one["network"]) for one in shown} == {("private", "net-1")}


def test_the_guest_is_told_the_card_in_small_letters():
    told = lent.virtual(instance(), "FA:16:3E:00:00:01")
    assert (told.card, told.addresses) == ("fa:16:3e:00:00:01", (ADDRESS,))
