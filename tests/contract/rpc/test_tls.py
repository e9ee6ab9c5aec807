# SPDX-License-Identifier: Apache-2.0
"""TLS to the broker: its own name, under our CA, or nothing at all."""

import contextlib
import socket
import ssl
import threading
import typing

import pytest

from trove import errors
from trove.localcloud import rabbitmq
from trove.rpc import transport
from trove.service.certificates import Authority

from .conftest import PASSWORD, report

pytestmark = [pytest.mark.rabbitmq, pytest.mark.root]


@contextlib.contextmanager
def impostor(context: ssl.SSLContext) -> typing.Iterator[tuple[int, list[bytes]]]:
    """A broker that is none: what it is told after the handshake, if anything."""
    heard: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.2)
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                plain, _peer = listener.accept()
                with plain:
                    plain.settimeout(5)
                    with context.wrap_socket(plain, server_side=True) as line:
                        heard.append(line.recv(100))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], heard
    finally:
        over.set()
        thread.join()
        listener.close()


def speaking_as(tmp_path, authority: Authority, names, addresses) -> ssl.SSLContext:
    certificate, key = authority.server_certificate(names, addresses)
    (tmp_path / "cert.pem").write_text(certificate)
    (tmp_path / "key.pem").write_text(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    return context


def test_a_broker_of_another_name_under_our_own_ca_hears_nothing(world, tmp_path):
    context = speaking_as(tmp_path, world.node.authority, ["elsewhere"], ["192.0.2.1"])
    with impostor(context) as (port, heard):
        made = world.guest_transport("g1", hosts=[f"127.0.0.1:{port}"])
        with pytest.raises(errors.Unavailable):
            world.to_conductor(made).heartbeat(report())
    assert heard == []


def test_a_broker_of_the_right_name_under_another_ca_hears_nothing(world, tmp_path):
    other = Authority.create(tmp_path / "other")
    context = speaking_as(tmp_path, other, ["localhost"], ["127.0.0.1"])
    with impostor(context) as (port, heard):
        made = world.guest_transport("g1", hosts=[f"127.0.0.1:{port}"])
        with pytest.raises(errors.Unavailable):
            world.to_conductor(made).heartbeat(report())
    assert heard == []


def test_the_control_plane_refuses_it_too(world, tmp_path, conf):
    context = speaking_as(tmp_path, world.node.authority, ["elsewhere"], ["192.0.2.1"])
    kept = conf.rpc.guests_url, conf.rpc.control_url
    with impostor(context) as (port, heard):
        there = f"trove-control:secret@127.0.0.1:{port}"
        conf.set_override("guests_url", f"trove-rabbit://{there}//v", group="rpc")
        conf.set_override("control_url", f"rabbit://{there}//v", group="rpc")
        try:
            for made in (transport.guests(conf), transport.control(conf)):
                with pytest.raises(errors.Unavailable):
                    world.to_conductor(made).heartbeat(report())
                made.cleanup()
        finally:
            conf.set_override("guests_url", kept[0], group="rpc")
            conf.set_override("control_url", kept[1], group="rpc")
    assert heard == []


def test_each_broker_of_a_list_is_asked_for_its_own_name(world, tmp_path):
    """The first is away; the second has its own certificate, and is the right one."""
    world.node.broker.add_guest("g9", PASSWORD)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        closed = nobody.getsockname()[1]
    hosts = [f"localhost:{closed}", world.node.host]
    for _ in range(4):  # each connects anew, in an order of its own
        world.to_conductor(world.guest_transport("g9", hosts=hosts)).heartbeat(report())


def test_there_is_no_other_way_in_than_tls(world):
    for port in (
        world.node.layout.amqp_port,
        world.node.layout.guests_amqp_port,
    ):
        with socket.create_connection(("127.0.0.1", port), 5) as line:
            line.sendall(b"AMQP\x00\x00\x09\x01")
            line.settimeout(5)
            with contextlib.suppress(ConnectionError):
                assert not line.recv(100).startswith(b"\x01"), "it spoke AMQP in clear"


def test_the_files_of_the_node_are_its_own(world):
    layout = world.node.layout
    for path in (layout.rabbitmq / "server.key", layout.rabbitmq / "definitions.json"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert (layout.etc / "broker.json").stat().st_mode & 0o077 == 0
    secret = rabbitmq.access(layout).broker_password
    argv, environ, _user = rabbitmq.command(layout)
    assert secret not in " ".join(argv) + repr(environ)
    assert secret not in repr(rabbitmq.access(layout))
