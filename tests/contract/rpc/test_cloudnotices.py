# SPDX-License-Identifier: Apache-2.0
"""Nova's and Cinder's notifications over a real broker, as their library sends them."""

import queue
import threading
import urllib.parse

import amqp
import oslo_messaging
import pytest

from tests.unit.rpc.test_cloudnotices import SERVER, VOLUME, plain, versioned
from trove.localcloud import rabbitmq
from trove.rpc import cloudnotices, transport
from trove.rpc.cloudnotices import CloudNotices

from .conftest import LOOPBACK, until
from .test_prepare import Api

pytestmark = [pytest.mark.rabbitmq, pytest.mark.root]

BOUND = 20.0
QUEUE = "trove.tests.cloud-notices"
TOPICS = ("notifications", "versioned_notifications")
USER, PASSWORD = "trove", "listens: only/@"
GUIDE = {
    "configure": r"^trove\.",
    "write": r"^trove\.",
    "read": r"^(trove\.|nova$|cinder$|late$)",
}
"""What the installation guide gives the user that listens."""


class Cloud:
    """Who sends, and who hears."""

    def __init__(self, node, conf):
        self.node, self.conf = node, conf
        self.heard: queue.Queue[set[str]] = queue.Queue()
        self.bus = transport.control(conf)
        self._api = Api(rabbitmq.access(node.layout, LOOPBACK))
        self._api.ask("PUT", "users", USER, json={"password": PASSWORD, "tags": ""})
        self.may()
        self._parts: list[CloudNotices] = []

    def url(self, **query):
        """Of the control plane's virtual host, as an operator writes it."""
        read = urllib.parse.urlsplit(
            rabbitmq.access(self.node.layout, LOOPBACK).control_url
        )
        who = f"{USER}:{urllib.parse.quote(PASSWORD, safe='')}"
        read = read._replace(netloc=f"{who}@{read.hostname}:{read.port}")
        more = urllib.parse.urlencode({"ssl": "true", "ssl_ca_file": self.node.ca_file})
        return read._replace(query=urllib.parse.urlencode(query) or more).geturl()

    def listens(self, *exchanges, url=None):
        made = CloudNotices(
            self.conf,
            url or self.url(),
            "tests",
            exchanges,
            TOPICS,
            lambda ids: self.heard.put(set(ids)),
        )
        self._parts.append(made)
        made.start()
        return made

    def may(self, **otherwise):
        """The user's rights are the guide's, but for these."""
        self._api.ask("PUT", "permissions", self.vhost, USER, json=GUIDE | otherwise)

    def closed(self):
        """The connections of who listens are closed by the broker: were there any?"""
        found = self._api.ask("GET", "connections")
        names = [each["name"] for each in found if each.get("user") == USER]
        for name in names:
            self._api.ask("DELETE", "connections", name)
        return bool(names)

    def exchange(self, name):
        """The service has started: it declares what it sends to."""
        with self.control() as channel:
            channel.exchange_declare(name, "topic", durable=True, auto_delete=False)

    def control(self):
        access = rabbitmq.access(self.node.layout, LOOPBACK)
        read = urllib.parse.urlsplit(access.control_url)
        line = self.node.connect(
            read.username, urllib.parse.unquote(read.password), self.vhost
        )
        return Channel(line)

    @property
    def vhost(self):
        access = rabbitmq.access(self.node.layout, LOOPBACK)
        path = urllib.parse.urlsplit(access.control_url).path[1:]
        return urllib.parse.unquote(path) or "/"

    def send(self, exchange, topic, message, priority="info"):
        self.bus._send_notification(
            oslo_messaging.Target(topic=f"{topic}.{priority}", exchange=exchange),
            {},
            message,
            version=2.0,
            retry=0,
        )

    def hears(self, *ids):
        """All of these, however they were gathered; nothing else."""
        found: set[str] = set()
        while found != set(ids):
            found |= self.heard.get(timeout=BOUND)
        assert self.heard.empty()

    def bound(self, exchange):
        """Until who listens has found it."""
        until(lambda: self.probed(exchange), within=BOUND)

    def probed(self, exchange):
        probe = plain("volume.create.end", volume_id="probe")
        self.send(exchange, TOPICS[0], probe)
        try:
            return self.heard.get(timeout=0.5) == {"probe"}
        except queue.Empty:
            return False

    def close(self):
        for part in self._parts:
            part.stop(BOUND)
        with self.control() as channel:
            channel.queue_delete(QUEUE)
        self.bus.cleanup()


class Channel:
    def __init__(self, line):
        self._line = line

    def __enter__(self):
        return self._line.channel()

    def __exit__(self, *error):
        self._line.close()


@pytest.fixture
def cloud(node, conf):
    made = Cloud(node, conf)
    yield made
    made.close()


def test_servers_and_volumes_that_changed_are_heard_of(cloud):
    for name in ("nova", "cinder"):
        cloud.exchange(name)
    cloud.listens("nova", "cinder")
    cloud.bound("cinder")
    cloud.send("nova", TOPICS[1], versioned("instance.create.start"))
    cloud.send("nova", TOPICS[1], versioned("instance.create.end"))
    cloud.hears(SERVER)
    cloud.send("cinder", TOPICS[0], plain("volume.create.end", volume_id=VOLUME))
    cloud.hears(VOLUME)
    error = plain("compute.instance.create.error", instance_id=SERVER)
    cloud.send("nova", TOPICS[0], error, priority="error")
    cloud.hears(SERVER)


def test_many_at_once_are_told_together(cloud):
    cloud.exchange("nova")
    cloud.listens("nova")
    cloud.bound("nova")
    ids = {f"server-{number}" for number in range(250)}
    for id in ids:
        cloud.send("nova", TOPICS[1], versioned("instance.create.end", id))
    found, calls = set(), 0
    while found != ids:
        found |= cloud.heard.get(timeout=BOUND)
        calls += 1
    assert calls < 100, "a query for each message"


def test_a_message_that_nobody_can_read_ends_nothing(cloud):
    cloud.exchange("nova")
    cloud.listens("nova")
    cloud.bound("nova")
    with cloud.control() as channel:
        for body, how in (
            (b"\xff", {"content_type": "application/json"}),
            (b"x", {"content_type": "application/x-python-serialize"}),
            ("[" * 100_000, {"content_type": "application/json"}),
        ):
            message = amqp.Message(body, **how)
            channel.basic_publish(message, "nova", f"{TOPICS[0]}.info")
    cloud.send("nova", TOPICS[1], versioned("instance.create.end"))
    cloud.hears(SERVER)


def test_an_exchange_that_comes_later_is_heard_too(cloud, monkeypatch):
    monkeypatch.setattr(cloudnotices, "LOOK", 0.1)
    cloud.listens("late")
    until(lambda: there(cloud, QUEUE), within=BOUND)
    cloud.exchange("late")
    cloud.bound("late")
    with cloud.control() as channel:
        channel.exchange_delete("late")


def test_what_is_kept_for_nobody_is_little_and_ends(cloud):
    """The broker is another service's: a deployment that is gone does not fill it."""
    cloud.exchange("nova")
    part = cloud.listens("nova")
    cloud.bound("nova")
    assert part.stop(BOUND) and not part.alive()
    with cloud.control() as channel, pytest.raises(amqp.PreconditionFailed) as refused:
        channel.queue_declare(QUEUE, durable=True, auto_delete=False)
    assert "x-expires" in str(refused.value) or "inequivalent" in str(refused.value)
    with cloud.control() as channel:
        channel.queue_declare(
            QUEUE,
            durable=True,
            auto_delete=False,
            arguments={
                "x-expires": 600_000,
                "x-message-ttl": 60_000,
                "x-max-length": 10_000,
            },
        )


def test_a_broker_that_went_and_came_is_heard_again(cloud, node):
    cloud.exchange("nova")
    part = cloud.listens("nova")
    cloud.bound("nova")
    with node.away():
        assert part.alive()
    cloud.exchange("nova")
    cloud.bound("nova")
    cloud.send("nova", TOPICS[1], versioned("instance.create.end"))
    cloud.hears(SERVER)


def test_whom_the_broker_sends_away_is_heard_again(cloud):
    """As a broker does that stops, to those whom it has the time to tell."""
    cloud.exchange("nova")
    part = cloud.listens("nova")
    cloud.bound("nova")
    until(cloud.closed, within=BOUND)
    cloud.bound("nova")
    assert part.alive()


def test_who_may_not_listen_says_so_and_tries_again(cloud, caplog):
    cloud.may(configure="^$")
    part = cloud.listens("nova")
    until(lambda: "nothing is heard" in caplog.text, within=BOUND)
    assert "refused for user 'trove'" in caplog.text
    cloud.may()
    until(lambda: there(cloud, QUEUE), within=BOUND)
    assert part.alive()


def test_who_cannot_show_its_certificate_is_not_believed(cloud, tmp_path, caplog):
    from trove.service.certificates import Authority

    stranger = tmp_path / "ca.pem"
    stranger.write_text(Authority.create(tmp_path / "pki").ca_pem)
    cloud.exchange("nova")
    part = cloud.listens("nova", url=cloud.url(ssl="true", ssl_ca_file=str(stranger)))
    until(lambda: "nothing is heard" in caplog.text, within=BOUND)
    assert part.alive() and not there(cloud, QUEUE)
    assert PASSWORD not in caplog.text
    assert urllib.parse.quote(PASSWORD, safe="") not in caplog.text


def there(cloud, name):
    with cloud.control() as channel:
        try:
            channel.queue_declare(name, passive=True)
        except amqp.NotFound:
            return False
    return True


def test_nobody_is_kept_by_a_broker_that_is_away(cloud):
    made = cloud.listens("nova", url="rabbit://a:b@127.0.0.1:9/")
    ended = threading.Thread(target=made.stop, args=(BOUND,))
    ended.start()
    ended.join(BOUND)
    assert not ended.is_alive() and not made.alive()
