# SPDX-License-Identifier: Apache-2.0
"""The broker goes and comes back: what was sent is there, and everybody returns."""

import pytest

from trove import errors

from .conftest import Orders, report, until

pytestmark = [pytest.mark.rabbitmq, pytest.mark.root]


def test_a_command_outlives_the_broker_and_everybody_comes_back(world):
    orders, made = world.guest("g1")
    # A guest that is down, with its queue left behind: a command waits for it.
    asleep, its_transport = Orders(), None
    world.node.broker.add_guest("asleep", "the-bootstrap-password")
    line = world.node.connect("guest-asleep")
    channel = line.channel()
    for queue in ("guestagent.asleep", "guestagent.asleep.asleep"):
        channel.queue_declare(
            queue,
            durable=True,
            auto_delete=False,
            arguments={"x-queue-type": "quorum", "x-delivery-limit": 10},
        )
        channel.queue_bind(queue, "trove", queue)
    line.close()
    world.to_guest("asleep").restart_database("before")

    with world.node.away():
        with pytest.raises(errors.Unavailable):
            world.to_conductor(made).heartbeat(report(1))
        with pytest.raises(errors.GuestSilent):
            world.to_guest("g1").job("op/1")

    from trove.rpc.guest import Guest

    its_transport = world.guest_transport("asleep")
    world.serve(its_transport, Guest, asleep, "asleep")
    until(lambda: ("restart", "before") in asleep.told)

    def told() -> bool:
        try:
            world.to_guest("g1").restart_database("after")
            world.to_conductor(made).heartbeat(report(2))
            assert world.to_guest("g1").job("op/1") is None
        except errors.Unavailable:
            return False
        return True

    until(told, within=60)
    until(lambda: ("restart", "after") in orders.told, within=30)
    until(lambda: report(2) in world.reports.of("g1"), within=30)
