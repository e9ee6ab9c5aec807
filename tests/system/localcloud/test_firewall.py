# SPDX-License-Identifier: Apache-2.0
"""What security groups let through, and what they do not, between real guests."""

import contextlib
import socket
import threading

import pytest

from tests.system.localcloud.machine import until
from trove.localcloud import programs

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

LISTEN = """
import socket, threading
def serve(port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("0.0.0.0", port)); s.listen()
    while True:
        c, _ = s.accept(); c.sendall(b"hello"); c.close()
for port in (3306, 8080):
    threading.Thread(target=serve, args=(port,)).start()
"""


def listen(machine, server):
    """A guest that answers on 3306 and on 8080."""
    until(lambda: machine.systemd_is_up(server))
    machine.inside(server, "systemd-run", "--unit=listen", "python3", "-c", LISTEN)
    said = "ss", "-Hltn", "sport = :8080"
    until(lambda: machine.inside(server, *said))


def answers(address, port):
    with contextlib.suppress(OSError):
        with socket.create_connection((address, port), 1.5) as connection:
            return connection.recv(5) == b"hello"
    return False


@contextlib.contextmanager
def listener(address, port):
    """A daemon of the host."""
    with socket.create_server((address, port)) as server:
        threading.Thread(target=_drain, args=(server,), daemon=True).start()
        yield
        # A thread in accept() would keep it listening after its close.
        server.shutdown(socket.SHUT_RDWR)


def _drain(server):
    with contextlib.suppress(OSError):
        while True:
            server.accept()[0].close()


@pytest.fixture
def pair(machine, things):
    """A database's guest, and another one beside it that may go anywhere."""
    host = machine.place.host_address
    group = things.group(("ingress", 3306, "0.0.0.0/0"), ("egress", 5671, f"{host}/32"))
    database = things.port(group)
    free = things.port(things.group(("egress", 3306, None), ("egress", 8080, None)))
    return (
        things.server("database", ports=[database]),
        database.fixed_ips[0]["ip_address"],
        things.server("beside", ports=[free]),
        free.fixed_ips[0]["ip_address"],
    )


def test_a_guest_is_reached_on_its_port_and_reaches_its_broker_only(machine, pair):
    database, address, beside, neighbour = pair
    listen(machine, database)
    listen(machine, beside)
    # in: its port, from the host and from a neighbour; nothing else
    assert answers(address, 3306)
    assert not answers(address, 8080)
    assert machine.reaches(beside, address, 3306)
    assert not machine.reaches(beside, address, 8080)
    # the neighbour has no rule that lets anybody in
    assert not answers(neighbour, 3306)
    # out: the broker on the host; no other port, no other guest
    host = machine.place.host_address
    with listener(host, 5671), listener(host, 5999):
        assert machine.reaches(database, host, 5671)
        assert not machine.reaches(database, host, 5999)
    assert not machine.reaches(database, neighbour, 8080)


def test_a_group_without_rules_lets_nothing_through(machine, things):
    port = things.port(things.group())
    server = things.server(ports=[port])
    listen(machine, server)
    assert not answers(port.fixed_ips[0]["ip_address"], 3306)
    with listener(machine.place.host_address, 5671):
        assert not machine.reaches(server, machine.place.host_address, 5671)


def test_a_rule_counts_from_the_moment_it_is_made(machine, service, things):
    group = things.group()
    port = things.port(group)
    server = things.server(ports=[port])
    listen(machine, server)
    address = port.fixed_ips[0]["ip_address"]
    assert not answers(address, 8080)
    rule = service.sdk.network.create_security_group_rule(
        security_group_id=group,
        direction="ingress",
        ethertype="IPv4",
        protocol="tcp",
        port_range_min=8080,
        port_range_max=8080,
    )
    assert answers(address, 8080)
    service.sdk.network.delete_security_group_rule(rule.id)
    assert not answers(address, 8080)


def test_a_guest_cannot_take_the_address_of_another(machine, pair):
    database, address, beside, neighbour = pair
    host = machine.place.host_address
    with listener(host, 5671):
        # with another's IP address, and then with another's hardware address as well
        machine.inside(database, "ip", "addr", "add", f"{neighbour}/24", "dev", "eth0")
        program = (
            "import socket; socket.create_connection(('%s', 5671), 1.5, ('%s', 0))"
        )
        with pytest.raises(programs.ProgramFailed):
            machine.inside(database, "python3", "-c", program % (host, neighbour))
        machine.inside(database, "ip", "addr", "del", f"{neighbour}/24", "dev", "eth0")
        assert machine.reaches(database, host, 5671)
        words = ("ip", "link", "set", "eth0", "address", "fa:16:3e:aa:aa:aa")
        machine.inside(database, *words)
        assert not machine.reaches(database, host, 5671)
