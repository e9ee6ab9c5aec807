# SPDX-License-Identifier: Apache-2.0
"""What whoever is root in a guest can do to its surroundings: the network, floods.

The programs of ``tests/system/attacks`` run in a real guest that was taken over; what
came of them is asked of the control plane, of the other guest, and of the bridge.
"""

import contextlib
import json
import os
import pathlib
import socket
import threading
import time

import amqp
import psycopg
import pymysql
import pytest

from tests.system.attacks import broker
from tests.system.deployment import ask, until
from trove.localcloud import rabbitmq

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

METADATA = "169.254.169.254"
PORTS = {"mariadb": 3306, "postgresql": 5432}


def address(pair, instance):
    return pair.demo.show(instance)["ip"][0]


def hardware(pair, instance):
    """The address of its network card."""
    path = "/sys/class/net/eth0/address"
    return pair.deployment.inside(instance, "cat", path).strip()


def listening(instance=None, pair=None):
    """TCP ports somebody listens on and from where: on this host, or in a guest."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        text = (
            pathlib.Path(table).read_text()
            if instance is None
            else pair.deployment.inside(instance, "cat", table)
        )
        for line in text.splitlines()[1:]:
            words = line.split()
            if words[3] == "0A":
                where, _, port = words[1].rpartition(":")
                found.add((where, int(port, 16)))
    return found


# -- the network -----------------------------------------------------------------------


def test_a_guest_finds_broker_and_object_store_and_nothing_else(pair):
    """Reach other guests, API, database, hypervisor: only those two ports answer.

    Scanned: each port that is listened to on the host, the well known, ours; on each of
    the host's addresses, the other guest, the metadata address.
    """
    place = pair.deployment.place
    ports = {port for _, port in listening()} | set(range(1, 1025))
    ports = sorted(ports | set(range(place.ports, place.ports + 100)))
    victim = sorted({port for _, port in listening(pair.victim, pair)} | {22, 111})
    others = {
        place.host_address: ports,
        address(pair, pair.victim): victim,
        METADATA: [80, 443],
    }
    with contextlib.suppress(OSError), socket.socket(type=socket.SOCK_DGRAM) as out:
        out.connect(("192.0.2.1", 9))  # nothing is sent: which way would it go
        others[out.getsockname()[0]] = ports
    (found,) = pair.lines("scan.py", others)
    answers = {where: all for where, all in found.items() if any(all.values())}
    expected = [place.guests_amqp_port, place.object_port]
    assert answers == {place.host_address: {"open": expected, "refused": []}}


def test_the_object_store_tells_a_guest_nothing_without_a_url(pair):
    """Read or write anybody's logs: with no token, forged headers, a made up signature.

    The victim's log is published first, so there is something to be found.
    """
    place = pair.deployment.place
    answer = pair.demo.ask(
        "POST", f"/instances/{pair.victim}/log", {"name": "general", "publish": 1}
    )
    assert answer.status_code == 200, answer.text
    project = pair.demo.api.get_project_id()
    account = f"/v1/AUTH_{project}"
    prefix = f"{account}/database_logs/{pair.victim}/"
    forged = "?temp_url_expires=9999999999&temp_url_sig="
    claims = {
        "X-Identity-Status": "Confirmed",
        "X-Project-Id": project,
        "X-Roles": "admin",
        "X-Auth-Token": "gAAAAA",
    }
    orders = {
        "store": [place.host_address, place.object_port],
        "headers": [{}, claims],
        "paths": [
            account,
            f"{account}/database_logs",
            f"{account}/database_logs?prefix={pair.victim}",
            f"{prefix}mariadb-general/log-1",
            f"{prefix}mariadb-general/log-1{forged}{'0' * 64}",
            f"{prefix}log-1{forged}{'0' * 64}&temp_url_prefix={pair.victim}",
        ],
    }
    came = pair.lines("store.py", orders)
    assert len(came) == 72
    assert {status for _, _, status in came} == {401}, came


def test_no_frame_says_that_it_is_anothers(pair):
    """Steal another's address: forged ARP, IP, MAC, IPv6 and VLAN frames stay in.

    The honest ones among them show that the listener on the bridge would have seen.
    """
    place = pair.deployment.place
    theirs = address(pair, pair.victim)
    bridge = pathlib.Path(f"/sys/class/net/{place.bridge}/address").read_text().strip()
    orders = {
        "mine": address(pair, pair.attacker),
        "theirs": theirs,
        "their_mac": hardware(pair, pair.victim),
        "host": place.host_address,
        "host_mac": bridge,
        "port": place.guests_amqp_port,
        "rounds": 5,
    }
    seen, over = set(), threading.Event()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as ear:
        ear.bind((place.bridge, 3))
        ear.settimeout(0.2)

        def listen():
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    frame = ear.recv(2048)
                    seen.update(x for x in MARKS if x in frame)

        thread = threading.Thread(target=listen)
        thread.start()
        pair.run("spoof.py", orders)
        until("the last frames", lambda: b"honest-ip" in seen, 10)
        over.set()
        thread.join()
    assert seen == {b"honest-arp", b"honest-ip"}
    with pair.enter(pair.victim) as connection:
        assert ask(connection, "SELECT 1")[0][0] == 1


MARKS = (b"honest-arp", b"honest-ip", b"forged")


# -- the guest's own sockets -----------------------------------------------------------


def anonymous(kind, host):
    """Each way in without a password that an engine is known for."""
    if kind == "mariadb":
        for user in ("", "root", "mysql", "admin", "os_admin"):
            with pytest.raises(pymysql.err.OperationalError) as refused:
                pymysql.connect(host=host, user=user, connect_timeout=10)
            yield user, refused.value.args[0]
    else:
        for user in ("postgres", "root", "anonymous", "os_admin"):
            for mode in ("disable", "require"):
                with pytest.raises(psycopg.OperationalError) as refused:
                    psycopg.connect(
                        host=host, user=user, connect_timeout=10, sslmode=mode
                    )
                yield user, str(refused.value)


def test_what_a_guest_listens_on_lets_nobody_in(pair):
    """S16: one port, the engine's; and who has no account is refused there."""
    for instance in (pair.attacker, pair.victim):
        shown = pair.demo.show(instance)
        kind = shown["datastore"]["type"]
        wide = {
            port
            for where, port in listening(instance, pair)
            if not where.endswith("0100007F") and where != "0" * 24 + "01000000"
        }
        assert wide == {PORTS[kind]}, "something else listens"
        ways = list(anonymous(kind, shown["ip"][0]))
        assert ways
        for user, why in ways:
            if kind == "mariadb":
                assert why in (1045, 1698, 3159), (user, why)  # denied, or no TLS
            else:
                assert "pg_hba.conf" in why or "password" in why, (user, why)


# -- floods ----------------------------------------------------------------------------


LATE = 25.0
"""Seconds that a heartbeat may come later than it should, while another floods: what
the flood brought before it was cut stands before it, and is read first."""


class Listener(threading.Thread):
    """How long the control plane hears nothing of a guest, at the most."""

    def __init__(self, pair, instance):
        super().__init__()
        self.over, self.longest = threading.Event(), 0.0
        self._pair, self._instance = pair, instance

    def run(self):
        heard, last = time.monotonic(), self._pair.report(self._instance)
        while not self.over.wait(0.1):
            now = self._pair.report(self._instance)
            self.longest = max(self.longest, time.monotonic() - heard)
            if now[:2] != last[:2]:
                heard, last = time.monotonic(), now


def test_a_flood_drowns_nobody(pair):
    """Flood: connections and channels are bounded; who goes on is shut out.

    All that a guest can send, valid and not. The other guest's heartbeats come in time
    meanwhile, and it is restarted through the API. The flooding one is let in again by
    itself; both are events of it.
    """
    told = []

    def flood():
        boot = pair.report(pair.attacker)[0]
        orders = {"them": pair.victim, "boot": boot, "seconds": 20}
        told.extend(pair.lines("flood.py", orders))

    pair.heard_anew(pair.victim)
    sender, listener = threading.Thread(target=flood), Listener(pair, pair.victim)
    listener.start()
    sender.start()
    answer = pair.demo.ask("POST", f"/instances/{pair.victim}/action", {"restart": {}})
    assert answer.status_code == 202
    pair.demo.wait(pair.victim)
    sender.join()
    pair.heard_anew(pair.victim)
    listener.over.set()
    listener.join()
    print(f"the longest silence of the other guest: {listener.longest:.1f} s; {told}")
    assert listener.longest < 12 + LATE  # every ten seconds, a fifth more or less
    channels, connections, sent = told
    assert channels["code"] == connections["code"] == 530, told
    assert 0 < connections["connections"] <= 10
    assert channels["channels"] <= 20
    assert sent["messages"] > 500, sent
    for kind in ("guest.shut_out", "guest.let_in"):
        until(kind, lambda kind=kind: happened(pair, pair.attacker, kind))
    assert not happened(pair, pair.victim, "guest.shut_out")
    pair.believed_again()
    until("the broker rests again", lambda: spent(pair, seconds=3) < 1.5)
    log = (pair.deployment.place.log / "conductor.log").read_text()
    lines = [x for x in log.splitlines() if f"guest-{pair.attacker} says more" in x]
    assert len(lines) <= 3, "a flood of messages is no flood of the log"
    lines = [x for x in log.splitlines() if pair.attacker in x and "floods" in x]
    assert 1 <= len(lines) <= 3, "it is said, and not for each message"


def spent(pair, seconds):
    """Seconds of processor that the broker takes in so many."""
    pid = (pair.deployment.place.rabbitmq / "node.pid").read_text().strip()

    def so_far():
        words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    before = so_far()
    time.sleep(seconds)
    return so_far() - before


def happened(pair, instance, kind):
    sql = "SELECT seq FROM events WHERE object_id = ? AND kind = ?"
    return pair.deployment.rows(sql, instance, kind)


# -- the end ---------------------------------------------------------------------------


@pytest.fixture(name="doomed")
def a_third_guest(pair):
    id = pair.demo.create("mariadb", "doomed")
    pair.demo.wait(id)
    yield id
    if pair.demo.show(id) is not None:
        pair.demo.delete(id)
    pair.demo.gone(id)


def test_a_stolen_credential_ends_with_its_instance(pair, doomed):
    """Survive deletion: the live connection is closed by the broker, then no way in."""
    place = pair.deployment.place
    access = rabbitmq.access(place)
    stolen = broker.Attacker(
        doomed,
        pair.victim,
        access.guest_hosts[0],
        rabbitmq.GUESTS_VHOST,
        pair.identity(doomed)["password"],
        access.ca_file,
    )
    line = stolen.connect()
    pair.demo.delete(doomed)
    with pytest.raises((amqp.exceptions.ConnectionForced, OSError)) as forced:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(TimeoutError):
                line.drain_events(timeout=1)
    line.collect()
    assert getattr(forced.value, "reply_code", 320) == 320
    with pytest.raises(amqp.exceptions.AccessRefused):
        stolen.connect()
    pair.demo.gone(doomed)
    with pytest.raises(amqp.exceptions.AccessRefused):
        stolen.connect()
    assert doomed not in json.dumps(access.broker().guests())
