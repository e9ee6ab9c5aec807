# SPDX-License-Identifier: Apache-2.0
"""The kit: one declaration, two ends that agree, and errors that come home."""

import dataclasses
import logging
import subprocess
import sys
import threading
import typing

import oslo_messaging
import pytest
from oslo_config import cfg

from trove import errors
from trove.context import Context
from trove.rpc import codec
from trove.rpc.conductor import Conductor
from trove.rpc.guest import Guest
from trove.rpc.interface import Interface, Proxy, call, cast
from trove.rpc.taskmanager import TaskManager

LONG = 60
"""Seconds to wait for what must happen: never a matter of luck on a busy machine."""


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: int = 0


class Map(Interface):
    topic = "map"
    version = "1.3"

    @cast(since="1.0")
    def mark(self, point: Point, colour: str = "red") -> None: ...

    @call(since="1.1", timeout=5)
    def around(self, point: Point, far: int | None = None) -> list[Point]: ...

    @call(since="1.3", timeout=60)
    def whole(self) -> dict[str, Point] | None: ...


class Atlas:
    """A manager of Map."""

    def __init__(self) -> None:
        self.marked: list[typing.Any] = []
        self.answer: typing.Any = [Point(1)]
        self.fault: Exception | None = None
        self.has_marked = threading.Event()

    def mark(self, context, point, colour):
        self.marked.append((context, point, colour))
        self.has_marked.set()
        if self.fault:
            raise self.fault

    def around(self, context, point, far):
        if self.fault:
            raise self.fault
        return self.answer

    def whole(self, context):
        return self.answer


@pytest.fixture(name="transport")
def fake_transport():
    cfg.CONF([])  # oslo.messaging registers half of its options on the global one
    transport = oslo_messaging.get_rpc_transport(cfg.CONF, "fake://")
    yield transport
    transport.cleanup()
    cfg.CONF.reset()


@pytest.fixture(name="served")
def served_over_the_fake_transport(transport):
    atlas = Atlas()
    server = oslo_messaging.get_rpc_server(
        transport,
        oslo_messaging.Target(topic=Map.address(None), server="here"),
        [Map.serve(atlas)],
        access_policy=oslo_messaging.ExplicitRPCAccessPolicy,
    )
    server.start()
    yield transport, atlas
    server.stop()
    server.wait()


def test_a_call_and_its_answer(served):
    transport, atlas = served
    proxy = Proxy(Map, transport, Context(project="p"))
    assert proxy.around(Point(1, 2), far=3) == [Point(1)]
    atlas.answer = {"here": Point(4)}
    assert proxy.whole() == {"here": Point(4)}
    atlas.answer = None
    assert proxy.whole() is None


def test_a_cast_reaches_the_manager_with_its_context(served):
    transport, atlas = served
    context = Context(project="p", user="u", roles=("member",), broker_user="mallory")
    proxy = Proxy(Map, transport, context)
    assert proxy.mark(Point(1), colour="blue") is None
    # a thread for each message: no answer to a later one says that this one was read
    assert atlas.has_marked.wait(LONG)
    ((seen, point, colour),) = atlas.marked
    assert (point, colour) == (Point(1), "blue")
    assert (seen.project, seen.user, seen.roles) == ("p", "u", ("member",))
    assert seen.request_id == context.request_id
    assert seen.broker_user is None, "a sender's word about itself went over the wire"


@pytest.mark.parametrize(
    "raised, arrives",
    [
        (errors.Invalid(why="so"), errors.Invalid),
        (errors.NotSupported(datastore="d", what="w"), errors.NotSupported),
        (errors.InstanceNotFound(id="i"), errors.NotFound),
        (errors.EngineFailed(why="w"), errors.EngineFailed),
        (errors.LeaseLost(operation="o"), errors.Internal),
    ],
)
def test_an_error_arrives_as_itself_or_the_nearest_that_may_travel(
    served, raised, arrives
):
    transport, atlas = served
    atlas.fault = raised
    with pytest.raises(arrives) as caught:
        Proxy(Map, transport, Context()).around(Point(1))
    assert type(caught.value) is arrives
    assert str(caught.value) == str(raised)


@pytest.mark.parametrize(
    "reply, kind",
    [
        ({"error": "SystemExit", "message": "boo"}, errors.Internal),
        ({"error": "LeaseLost", "message": "boo"}, errors.Internal),
        ({"error": "os.system", "message": "boo"}, errors.Internal),
        ({"error": 1, "message": "boo"}, errors.Invalid),
        ({"error": "Invalid"}, errors.Invalid),
        ({"answer": [{"x": "1"}]}, errors.Invalid),
        ({"answer": ["x" * codec.FROM_GUEST]}, errors.Invalid),
        ({}, errors.Invalid),
        (None, errors.Invalid),
        ("pong", errors.Invalid),
    ],
)
def test_a_lying_answer_is_an_error_of_ours(served, reply, kind):
    transport, _atlas = served
    proxy = Proxy(Map, transport, Context())
    with pytest.raises(errors.TroveError) as caught:
        proxy._read(Map.methods()["around"], reply)
    assert type(caught.value) is kind


class Heard(logging.Handler):
    """Waits for a sentence in the log."""

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self._sentence = sentence
        self.sentence_came = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self._sentence in record.getMessage():
            self.sentence_came.set()


@pytest.fixture(name="complaint")
def complaint_about_a_mark():
    handler = Heard("mark ended with an error: ")
    logger = logging.getLogger("trove.rpc.interface")
    logger.addHandler(handler)
    yield handler.sentence_came
    logger.removeHandler(handler)


def test_a_cast_that_fails_kills_nothing(served, complaint):
    transport, atlas = served
    atlas.fault = errors.Upstream(why="no")
    proxy = Proxy(Map, transport, Context())
    proxy.mark(Point(1))
    with pytest.raises(errors.Upstream):
        proxy.around(Point(1))
    # the mark is another thread's: the call may be answered before it has failed
    assert complaint.wait(LONG)
    assert len(atlas.marked) == 1


def test_nobody_there_is_unavailable(transport):
    class Quick(Interface):
        topic, version = "nobody", "1.0"

        @call(since="1.0", timeout=0.05)
        def hello(self) -> str: ...

    with pytest.raises(errors.Unavailable, match="nobody"):
        Proxy(Quick, transport, Context()).hello()


def test_a_silent_guest_is_named(transport):
    class Guestlike(Interface):
        topic, version, own_topic = "guestlike", "1.0", True

        @call(since="1.0", timeout=0.05)
        def hello(self) -> str: ...

    with pytest.raises(errors.GuestSilent, match="g-1"):
        Proxy(Guestlike, transport, Context(), server="g-1").hello()


def test_a_malformed_message_is_dropped_and_counted():
    endpoint = Map.serve(atlas := Atlas())
    assert endpoint.mark({}, point={"x": "1"}) is None
    assert endpoint.mark({}) is None
    refused = endpoint.around({}, point={"x": "1"})
    assert refused == {"error": "Invalid", "message": refused["message"]}
    assert endpoint.dropped == {"mark": 2, "around": 1}
    assert atlas.marked == []


def test_arguments_nobody_declared_are_dropped_whatever_their_name():
    endpoint = Map.serve(atlas := Atlas())
    hostile = {"told": 1, "self": 2, "context": 3, "method": 4, "__class__": "os"}
    endpoint.mark({}, point={"x": 1, "z": 9}, **hostile)
    ((_context, point, colour),) = atlas.marked
    assert (point, colour) == (Point(1), "red")


class FromGuests(Map):
    from_guests = True

    mark = Map.mark


def test_what_a_guest_says_of_itself_is_not_believed():
    endpoint = FromGuests.serve(atlas := Atlas())
    claimed = {"is_admin": True, "roles": ["admin"], "project": "p", "user": {"a": []}}
    endpoint.mark(
        claimed | {"broker_user": "guest-1", "request_id": "req-\n"}, point={"x": 1}
    )
    ((context, *_rest),) = atlas.marked
    assert not context.is_admin and context.roles == () and context.project is None
    assert context.broker_user == "guest-1"
    assert "\n" not in context.request_id


def test_a_guest_may_send_less_than_it_is_sent():
    assert Guest.from_guests is False and Conductor.from_guests is True
    long = "x" * (codec.FROM_GUEST + 1)
    endpoint = FromGuests.serve(atlas := Atlas())
    endpoint.mark({}, point={"x": 1}, junk=long)
    assert atlas.marked == [] and endpoint.dropped["mark"] == 1
    Map.serve(atlas).mark({}, point={"x": 1}, junk=long)
    assert len(atlas.marked) == 1


def test_too_large_a_message_is_not_sent(served):
    transport, atlas = served
    with pytest.raises(errors.Invalid, match="too large"):
        Proxy(Map, transport, Context()).mark(Point(1), "x" * (codec.TO_GUEST + 1))
    assert atlas.marked == []


def test_a_manager_that_differs_is_not_served():
    class Other(Atlas):
        def mark(self, context, colour, point): ...

    with pytest.raises(TypeError, match="Other.mark"):
        Map.serve(Other())
    with pytest.raises(AttributeError):
        Map.serve(object())


def test_only_declared_methods_are_exposed():
    policy = oslo_messaging.ExplicitRPCAccessPolicy()
    endpoint = Map.serve(Atlas())
    assert policy.is_allowed(endpoint, "mark")
    for name in ("dropped", "target", "__init__", "_act", "_served"):
        assert not policy.is_allowed(endpoint, name)


def test_a_proxy_has_the_declared_methods_only(served):
    transport, _atlas = served
    proxy = Proxy(Map, transport, Context())
    with pytest.raises(AttributeError, match="Map has no method nonsense"):
        proxy.nonsense()
    with pytest.raises(TypeError):
        proxy.mark()


@pytest.mark.parametrize("server", [None, "", "a.b", "#", "*", "a b", "x" * 65])
def test_a_guest_has_a_topic_of_its_own_with_a_plain_name(server):
    assert Guest.address("0f-1A_") == "guestagent.0f-1A_"
    with pytest.raises(TypeError):
        Guest.address(server)


def test_the_other_topics_are_shared():
    assert Conductor.address("host") == "trove-conductor"
    assert TaskManager.address(None) == "trove-taskmanager"


def test_a_bad_declaration_is_found_at_import():
    with pytest.raises(TypeError, match="cannot answer"):

        class Answering(Interface):
            @cast(since="1.0")
            def nonsense(self) -> int: ...

    with pytest.raises(TypeError, match="no message can carry"):

        class Unreadable(Interface):
            @cast(since="1.0")
            def nonsense(self, data: bytes) -> None: ...

    with pytest.raises(TypeError, match="no plain argument"):

        class Starred(Interface):
            @cast(since="1.0")
            def nonsense(self, *data: str) -> None: ...


def test_a_declaration_costs_a_guest_little():
    told = "import sys, trove.rpc.guest, trove.rpc.conductor; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, check=True
    )
    heavy = {"oslo_messaging", "kombu", "oslo_config", "eventlet", "nacl", "requests"}
    assert not heavy & set(done.stdout.split())
