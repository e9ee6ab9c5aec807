# SPDX-License-Identifier: Apache-2.0
"""The RPC server serves what is exposed, drains, and gives up after its bound."""

import threading

import oslo_messaging
import pytest
from oslo_config import cfg
from oslo_messaging import rpc

from trove.service.rpcserver import RpcServer


class Endpoint:
    target = oslo_messaging.Target(version="1.0")

    def __init__(self):
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.ended = threading.Event()

    @rpc.expose
    def double(self, context, number):
        return number * 2

    @rpc.expose
    def wait(self, context):
        self.begun.set()
        self.go_on.wait(20)
        self.ended.set()

    def hidden(self, context):
        return "no"


@pytest.fixture
def transport():
    # The global set: oslo.messaging looks its tracing options up only there.
    cfg.CONF([], project="trove-test", default_config_files=[])
    made = oslo_messaging.get_rpc_transport(cfg.CONF, "fake:/")
    yield made
    made.cleanup()
    cfg.CONF.reset()


@pytest.fixture
def client(transport):
    target = oslo_messaging.Target(topic="t", version="1.0")
    return oslo_messaging.get_rpc_client(transport, target, timeout=10)


def test_only_what_is_exposed_is_served(transport, client):
    server = RpcServer(transport, "t", "one", [Endpoint()])
    assert not server.alive()
    server.start()
    assert server.alive()
    assert client.call({}, "double", number=21) == 42
    with pytest.raises(oslo_messaging.NoSuchMethod):
        client.call({}, "hidden")
    assert server.stop(10)
    assert not server.alive()
    assert server.stop(10)


def test_what_was_begun_is_finished(transport, client):
    endpoint = Endpoint()
    server = RpcServer(transport, "t", "one", [endpoint])
    server.start()
    client.cast({}, "wait")
    assert endpoint.begun.wait(10)
    threading.Timer(0.2, endpoint.go_on.set).start()
    assert server.stop(20)
    assert endpoint.ended.is_set()


def test_but_not_for_ever(transport, client):
    endpoint = Endpoint()
    server = RpcServer(transport, "t", "one", [endpoint])
    server.start()
    client.cast({}, "wait")
    assert endpoint.begun.wait(10)
    assert not server.stop(0.1)
    endpoint.go_on.set()
