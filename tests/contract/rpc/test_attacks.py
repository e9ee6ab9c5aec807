# SPDX-License-Identifier: Apache-2.0
"""A compromised guest: it has its credential, a socket, and every wish.

First what the broker must refuse it, attack by attack; then what it may send, namely
anything at all to the conductor, and what that must not do.
"""

import contextlib
import json
import threading
import typing
import zlib

import amqp
import pytest

from tests.system.attacks import broker
from tests.system.attacks.broker import envelope, raw, send
from trove import errors
from trove.context import Context
from trove.localcloud import rabbitmq
from trove.rpc import codec, driver, messages, screen
from trove.rpc.interface import Interface, Proxy, call

from .conftest import PASSWORD, report, until

pytestmark = [pytest.mark.rabbitmq, pytest.mark.root]

THEIRS = "guestagent.g2"


@pytest.fixture(scope="module", name="g1")
def taken_over(world):
    """Its agent ran once, so that its queues are there; then it was taken over."""
    return world.guest("g1")


@pytest.fixture(scope="module", name="g2")
def victim(world):
    return world.guest("g2", "a password of its own")


@pytest.fixture(scope="module", name="others", autouse=True)
def what_else_is_there(world, g1, g2):
    """A queue of the taskmanager's where guests are: it should not be, and if."""
    admin = rabbitmq.access(world.node.layout)
    line = world.node.connect(admin.broker_user, admin.broker_password)
    channel = line.channel()
    channel.queue_declare("trove-taskmanager", durable=True, auto_delete=False)
    channel.queue_bind("trove-taskmanager", "trove", "trove-taskmanager")
    channel.exchange_declare(f"{THEIRS}_fanout", "fanout", durable=True)
    channel.queue_bind(THEIRS, f"{THEIRS}_fanout")
    yield
    assert channel.basic_get("trove-taskmanager") is None, "a forged message got in"
    channel.queue_delete("trove-taskmanager")
    line.close()


@pytest.fixture(scope="module", name="attacker")
def whoever_is_root_in_g1(world, g1):
    node = world.node
    return broker.Attacker(
        "g1", "g2", node.host, rabbitmq.GUESTS_VHOST, PASSWORD, node.ca_file
    )


@pytest.mark.parametrize("attack", broker.ATTACKS)
def test_the_broker_refuses_to(attacker, g2, attack):
    """S12, and what a guest may do; ``tests/system`` runs the same in a real guest."""
    came = broker.attempt(attacker, attack)
    assert came["code"] in broker.REFUSALS, came
    assert g2[0].told == []


def test_a_forged_claim_is_dropped(world, attacker):
    """The sender is who the broker says it is, whatever the message says."""
    before = len(world.reports.dropped)
    broker.lie_in_the_body(attacker, 1, 666, signed=False)
    until(lambda: len(world.reports.dropped) > before)
    assert world.reports.of("g2") == []

    broker.lie_in_the_body(attacker, 1, 666, signed=True)
    until(lambda: report(666) in world.reports.of("g1"))
    assert world.reports.of("g2") == []


def test_what_is_said_again_with_the_same_id_is_counted_and_no_more(
    world, attacker, caplog
):
    """T07, and a flood of them: no traceback each."""
    before = screen.DROPPED["said already"]
    again = envelope(
        broker.claim("g1", 1, 777) | {"_unique_id": "again"}, user_id="guest-g1"
    )
    with attacker.channel() as channel:
        for _ in range(40):
            send(channel, "trove", "trove-conductor", again)
    until(lambda: screen.DROPPED["said already"] == before + 39)
    assert world.reports.of("g1").count(report(777)) == 1
    assert "Traceback" not in caplog.text
    assert caplog.text.count("said already") < 10


def test_a_guest_opens_so_many_connections_and_no_more(world):
    world.node.broker.add_guest("greedy", PASSWORD)
    lines = []
    with pytest.raises(amqp.exceptions.AMQPError):
        for _ in range(20):
            lines.append(world.node.connect("guest-greedy"))
    assert len(lines) == 10
    for line in lines:
        line.close()


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


HEARTBEAT = {"method": "heartbeat", "args": {"report": {}}, "version": "1.0"}
HOSTILE: dict[str, amqp.Message] = {
    "no JSON": raw("\xff{"),
    "JSON of no object": raw("[]"),
    "an envelope of nothing": raw('{"oslo.version": "2.0", "oslo.message": "7"}'),
    "an envelope from the future": raw('{"oslo.version": "9.0", "oslo.message": "{}"}'),
    "nested beyond Python's stack": raw(deep(40_000)),
    "arguments nested beyond it": raw(
        json.dumps({"oslo.version": "2.0", "oslo.message": deep(20_000)})
    ),
    "too large": envelope(HEARTBEAT | {"args": {"x": "x" * 3 * codec.FROM_GUEST}}),
    "compressed, to a hundred times its size": raw(
        zlib.compress(b" " * 10_000_000), {"compression": "application/x-gzip"}
    ),
    "a pickle": amqp.Message(
        b"cos\nsystem\n(S'true'\ntR.",
        content_type="application/x-python-serialize",
        content_encoding="binary",
    ),
    "a charset that is none": amqp.Message(
        b"{}", content_type="application/json", content_encoding="no-such-charset"
    ),
    "no method": envelope({"args": {}}),
    "a method that is none": envelope({"method": {"a": 1}, "args": {}}),
    "a method nobody declared": envelope({"method": "serve", "args": {}}),
    "a private method": envelope({"method": "__init__", "args": {}}),
    "arguments that are none": envelope({"method": "heartbeat", "args": [1]}),
    "an argument named as ours": envelope(
        {"method": "heartbeat", "args": {"self": 1, "context": 2, "told": 3}}
    ),
    "a version that is none": envelope(HEARTBEAT | {"version": "a.b"}),
    "a version of a thousand digits": envelope(HEARTBEAT | {"version": "9" * 1000}),
    "a context that breaks its maker": envelope(
        HEARTBEAT | {"_context_self": 1, "_context_conf": 2, "_context_msg_id": []}
    ),
    "an id that cannot be hashed": envelope(
        HEARTBEAT | {"_unique_id": {}, "_msg_id": [], "_reply_q": {}}
    ),
    "a call to be answered to another guest": envelope(
        HEARTBEAT | {"_msg_id": "a", "_reply_q": "reply_guest-g2:trove-guestagent:1"},
        user_id="guest-g1",
    ),
    "a call to be answered to nobody": envelope(
        HEARTBEAT | {"_msg_id": "a", "_reply_q": "reply_nobody"}, user_id="guest-g1"
    ),
    "a time-out that is none": envelope(
        HEARTBEAT | {"_msg_id": "a", "_reply_q": "reply_x", "_timeout": [1]}
    ),
    "a report of wrong types": envelope(
        HEARTBEAT | {"args": {"report": {"boot": "1", "seq": None, "service": []}}}
    ),
    "a report with columns of its own": envelope(
        HEARTBEAT
        | {"args": {"report": {"boot": -1, "instance_id": "g2", "deleted": True}}}
    ),
}


@pytest.mark.parametrize("message", HOSTILE)
def test_the_conductor_outlives(world, g1, g2, message):
    """After each of these, an honest guest is heard as before, and at once."""
    told = world.reports.of("g1")
    line = world.node.connect("guest-g1")
    try:
        send(line.channel(), "trove", "trove-conductor", HOSTILE[message])
    finally:
        line.close()
    mark = len(world.reports.of("g2")) + 1
    world.to_conductor(g2[1]).heartbeat(report(mark))
    until(lambda: report(mark) in world.reports.of("g2"), within=5)
    assert world.reports.of("g1") == told
    assert world.node.depth("trove-conductor") == 0


class Asking(Interface):
    """``Guest.job`` with less patience."""

    topic, version, own_topic = "guestagent", "1.0", True

    @call(since="1.0", timeout=3)
    def job(self, job: str) -> messages.JobReport | None: ...


@pytest.mark.parametrize(
    "reply, kind",
    [
        ({"result": {"answer": {"id": 1}}, "ending": True}, errors.Invalid),
        ({"failure": "no JSON", "ending": True}, errors.Internal),
        (
            {"failure": json.dumps({"class": "SystemExit", "module": "builtins"})},
            errors.Internal,
        ),
        (
            {"result": {"error": "LeaseLost", "message": "x"}, "ending": True},
            errors.Internal,
        ),
        ({"failure": 7}, errors.Internal),
        ({"result": "x" * codec.FROM_GUEST, "ending": True}, errors.Invalid),
        ({"result": {"answer": None}}, errors.GuestSilent),  # and never the end of it
        ({}, errors.GuestSilent),
        ({"result": "x" * 3 * codec.FROM_GUEST, "ending": True}, errors.GuestSilent),
    ],
)
def test_a_lying_answer_is_an_error_of_ours(world, liar, reply, kind):
    """A taken over guest answers what it is asked; its asker gets a plain error."""
    liar.append(reply)
    with pytest.raises(errors.TroveError) as caught:
        Proxy(Asking, world.guests, Context(), server="liar").job("op/1")
    assert type(caught.value) is kind


@pytest.fixture(scope="module", name="liar")
def guest_that_is_nothing_but_a_socket(world):
    """Answers each call with the last of a list."""
    world.node.broker.add_guest("liar", PASSWORD)
    line = world.node.connect("guest-liar")
    channel = line.channel()
    for queue in ("guestagent.liar", "guestagent.liar.liar"):
        channel.queue_declare(queue, durable=True, auto_delete=False)
        channel.queue_bind(queue, "trove", queue)
    replies: list[typing.Any] = []
    over = threading.Event()

    def answer(message) -> None:
        asked = json.loads(json.loads(message.body)["oslo.message"])
        lie = replies[-1] | {"_msg_id": asked["_msg_id"]}
        message = envelope(lie, user_id="guest-liar")
        send(channel, driver.REPLY_EXCHANGE, asked["_reply_q"], message)

    def run() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                line.drain_events(timeout=0.2)

    channel.basic_consume("guestagent.liar.liar", callback=answer, no_ack=True)
    thread = threading.Thread(target=run)
    thread.start()
    yield replies
    over.set()
    thread.join()
    line.close()
    world.node.broker.remove_guest("liar")
