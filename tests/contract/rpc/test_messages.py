# SPDX-License-Identifier: Apache-2.0
"""Messages between the control plane and guests, over a real broker."""

import contextlib
import uuid

import pytest

from trove import errors
from trove.context import Context
from trove.rpc import messages, passwords, transport
from trove.rpc.guest import Guest
from trove.rpc.interface import Proxy
from trove.rpc.taskmanager import TaskManager
from trove.service import certificates

from .conftest import PASSWORD, PLAN, Orders, report, until

pytestmark = [pytest.mark.rabbitmq, pytest.mark.root]


@pytest.fixture(scope="module", name="g1")
def first_guest(world):
    return world.guest("g1")


@pytest.fixture(scope="module", name="g2")
def second_guest(world):
    return world.guest("g2")


def test_a_cast_reaches_its_guest_and_no_other(world, g1, g2):
    world.to_guest("g1").prepare("op/1", PLAN)
    until(lambda: ("prepare", "op/1") in g1[0].told)
    assert g1[0].plans[-1] == PLAN
    assert g1[0].senders == {"trove-control"}
    assert g2[0].told == []


def test_a_call_is_answered(world, g1, g2):
    done = messages.JobReport("op/2", "done", 100, result={"uuid": "a"})
    g1[0].jobs["op/2"] = done
    assert world.to_guest("g1").job("op/2") == done
    assert world.to_guest("g2").job("op/2") is None


def test_an_error_of_a_guest_comes_home(world, g1):
    g1[0].fault = errors.NotSupported(datastore="mariadb", what="that")
    try:
        with pytest.raises(errors.NotSupported, match="does not support that"):
            world.to_guest("g1").job("op/1")
    finally:
        g1[0].fault = None


def test_what_nobody_foresaw_stays_at_home(world, g1):
    g1[0].fault = ZeroDivisionError("with a secret in it")
    try:
        with pytest.raises(errors.Internal) as caught:
            world.to_guest("g1").job("op/1")
    finally:
        g1[0].fault = None
    assert "secret" not in str(caught.value)


def test_a_guest_reports_and_the_broker_says_who_it_is(world, g1, g2):
    world.to_conductor(g1[1]).heartbeat(report(1))
    world.to_conductor(g2[1]).job_changed(messages.JobReport("j", "done"))
    until(lambda: world.reports.of("g1") and world.reports.of("g2"))
    assert world.reports.of("g1") == [report(1)]
    assert world.reports.of("g2") == [messages.JobReport("j", "done")]
    assert world.reports.dropped == []


def test_a_guest_calls_the_conductor_and_the_bootstrap_password_dies(world):
    instance = str(uuid.uuid4())
    world.node.broker.add_guest(instance, PASSWORD)
    _key, csr = certificates.server_key_and_request()
    own = passwords.new_password()
    first = world.guest_transport(instance)
    answer = world.to_conductor(first).enrol(
        messages.Enrolment(passwords.hash_password(own), "k", csr)
    )
    assert answer.ca == world.node.authority.ca_pem
    assert "BEGIN CERTIFICATE" in answer.certificate

    with pytest.raises(errors.Forbidden, match="does not accept"):
        old = world.guest_transport(instance)
        world.to_conductor(old).heartbeat(report(1))
    second = world.guest_transport(instance, own)
    world.to_conductor(second).heartbeat(report(2))
    until(lambda: world.reports.of(instance) == [report(2)])


def test_a_guest_that_is_not_there_is_silent_and_not_forgotten(world):
    with pytest.raises(errors.GuestSilent, match="never-was"):
        world.to_guest("never-was").restart_database("op/1")
    with pytest.raises(errors.GuestSilent, match="never-was"):
        world.to_guest("never-was").job("op/1")


class Answering:
    """A server of either kind: keeps what it was asked for."""

    def __init__(self):
        self.asked = []

    def ask_guest(self, context, instance, question):
        self.asked.append(instance)

    def run(self, context, operation):
        """Not told of here."""


class Asked(Orders):
    """The same, of a guest."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def job(self, context, job):
        self.asked.append(job)


def asked_of(world, side):
    """Its transport, its interface and name, a server, and how it is asked."""
    if side == "control":
        made, question = world.control(), messages.Question("ping", {})
        bell = Proxy(TaskManager, made, Context())
        return made, TaskManager, Answering, lambda word: bell.ask_guest(word, question)
    world.node.broker.add_guest("here", PASSWORD)
    made = world.guest_transport("here")
    return made, Guest, Asked, world.to_guest("here").job


@contextlib.contextmanager
def serving(made, interface, manager):
    part = transport.server(made, interface, manager, "here")
    part.start()
    try:
        yield
    finally:
        part.stop(10)


@pytest.mark.parametrize("side", ["control", "guest"])
def test_what_nobody_takes_is_not_carried_out_after_all(world, side):
    """Its sender was told so: who serves the queue later finds nothing in it."""
    made, interface, kind, ask = asked_of(world, side)
    first, second = kind(), kind()
    with serving(made, interface, first):
        ask("in time")
    with pytest.raises(errors.Unavailable):
        ask("in vain")
    with serving(made, interface, second):
        ask("again")
    assert first.asked == ["in time"]
    assert second.asked == ["again"]


def test_revoking_cuts_the_connection_and_leaves_nothing(world):
    world.guest("doomed")
    line = world.node.connect("guest-doomed")
    assert "guestagent.doomed" in queues(world)
    world.node.broker.remove_guest("doomed")
    with pytest.raises((OSError, world_errors())):
        line.drain_events(timeout=10)
    assert "doomed" not in world.node.broker.guests()
    assert not [name for name in queues(world) if "doomed" in name]
    world.node.broker.remove_guest("doomed")
    with pytest.raises(errors.NotFound):
        world.node.broker.set_hash("doomed", passwords.hash_password("x"))


def world_errors():
    import amqp

    return amqp.exceptions.AMQPError


def queues(world, vhost="/trove-guests"):
    asked = world.node.broker._ask("GET", ("queues", vhost))
    return [queue["name"] for queue in asked]


def test_the_control_plane_has_its_own_broker_side(world):
    """Two transports of one process, each with the settings of its side."""

    class Manager:
        ran: list[str] = []

        def run(self, context, operation):
            self.ran.append(operation)

        def ask_guest(self, context, instance, question):
            """Not asked for here."""

    control = transport.control(world.conf)
    part = transport.server(control, TaskManager, Manager(), "here")
    part.start()
    try:
        Proxy(TaskManager, control, Context()).run("op-1")
        until(lambda: Manager.ran == ["op-1"])
        own = {name for name in queues(world, "/trove") if "trove-task" in name}
    finally:
        part.stop(10)
        control.cleanup()
    assert own == {"trove-taskmanager", "trove-taskmanager.here"}, "and no fanout"
    assert "trove-taskmanager" not in queues(world)


def test_every_queue_is_a_quorum_queue(world, g1):
    world.to_conductor(g1[1]).heartbeat(report(9))
    asked = world.node.broker._ask("GET", ("queues", "/trove-guests"))
    kinds = {queue["name"]: queue["type"] for queue in asked}
    assert kinds and set(kinds.values()) == {"quorum"}, kinds
    assert not [name for name in kinds if "fanout" in name]


def test_a_server_answers_a_ping(world, g1):
    import oslo_messaging

    target = oslo_messaging.Target(topic="guestagent.g1", server="g1")
    client = oslo_messaging.get_rpc_client(world.guests, target, timeout=10)
    assert client.call({}, "oslo_rpc_server_ping") == "pong"
