# SPDX-License-Identifier: Apache-2.0
"""What Nova and Cinder say of themselves: their notifications, heard on their broker.

An operation that waits for a server or a volume is woken by them (operations.md, rule
6), where the operator says where they are sent. They are a hint and no more: whoever is
woken looks for himself, and a message that is lost, late or forged costs one look. So
they are kept nowhere: the queue is bounded in length, in age, and ends by itself when
nobody of this deployment listens any more.

Formats: oslo.messaging's envelope, version 2, and its first one; within, Nova's
versioned and unversioned notifications, and Cinder's.
"""

import importlib
import json
import logging
import random
import ssl
import time
import typing
import urllib.parse

from oslo_config import cfg

from trove import errors
from trove.service.looping import Looping

LOG = logging.getLogger(__name__)

ENDS = (".end", ".error")
"""How an event's type ends, when something is over."""
PRIORITIES = ("info", "error")

FIRST, LONGEST = 1.0, 60.0
"""Seconds until a connection is tried again."""
LOOK = 60.0
"""Seconds until an exchange that was not there is looked for again."""
GATHERED, PAUSE, LATEST = 100, 0.02, 0.2
"""How many of them are looked up at once, and how long the next one is waited for, and
all of them."""
QUEUE = {
    "expires": 600.0,
    "message_ttl": 60.0,
    "max_length": 10000,
}
"""Seconds; and messages."""

Heard = typing.Callable[[typing.AbstractSet[str]], object]


class CloudNotices(Looping):
    """A part that tells ``heard`` the ids of servers and volumes that have changed.

    ``url`` is oslo.messaging's (``rabbit://user:password@host:port/vhost``, with
    ``?ssl=true&ssl_ca_file=...``); all of a ``deployment``'s share one queue.
    """

    name, patience = "cloud-notices", 5.0

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        url: str,
        deployment: str,
        exchanges: typing.Sequence[str],
        topics: typing.Sequence[str],
        heard: Heard,
        *,
        clock: typing.Callable[[], float] = time.monotonic,
        pick: typing.Callable[[float, float], float] = random.uniform,
    ) -> None:
        super().__init__()
        self._pick = pick
        self._where = addresses(conf, url)
        self._queue = f"trove.{deployment}.cloud-notices"
        self._exchanges, self._topics = tuple(exchanges), tuple(topics)
        self._heard, self._clock = heard, clock
        self._changed: set[str] = set()
        self._longer, self._told = FIRST, False

    def look(self) -> float:
        """Hears until the connection ends; seconds until the next is tried."""
        import amqp.exceptions
        import kombu.exceptions

        refused = amqp.exceptions.AMQPError, kombu.exceptions.KombuError
        try:
            for _ in self._listen():
                self._longer, self._told = FIRST, False
        except (*refused, OSError, errors.TroveError) as error:
            if not self._told:
                LOG.warning(
                    "nothing is heard of Nova and Cinder, they are asked: %s", error
                )
            self._told = True
        wait = self._pick(self._longer / 2, self._longer)
        self._longer = min(LONGEST, self._longer * 2)
        return wait

    def _listen(self) -> typing.Iterator[None]:
        """Hears until the connection ends; yields each time that it holds."""
        kombu: typing.Any = importlib.import_module("kombu")  # it has no types
        with kombu.Connection(**self._where) as connection:
            connection.connect()
            queue = kombu.Queue(self._queue, durable=True, **QUEUE)
            with connection.channel() as channel:
                channel.basic_qos(0, GATHERED, False)
                queue(channel).declare()
                with kombu.Consumer(channel, [queue], on_message=self._note):
                    LOG.info("hears what Nova and Cinder say")
                    yield
                    yield from self._drain(connection)

    def _drain(self, connection: typing.Any) -> typing.Iterator[None]:
        look = alive = self._clock()
        missing = set(self._exchanges)
        while not self._stopping.is_set():
            if missing and self._clock() >= look:
                missing = {name for name in missing if not self._bind(connection, name)}
                look = self._clock() + LOOK
            self._gather(connection)
            self._tell()
            if self._clock() >= alive:
                connection.heartbeat_check()
                alive = self._clock() + 1.0
                yield

    def _gather(self, connection: typing.Any) -> None:
        """Until it is quiet for a moment, or there is much to be told, or time to."""
        wait, end = 1.0, None
        while len(self._changed) < GATHERED and not self._stopping.is_set():
            try:
                connection.drain_events(timeout=wait)
            except TimeoutError:
                return
            if self._changed and end is None:
                wait, end = PAUSE, self._clock() + LATEST
            if end is not None and self._clock() >= end:
                return

    def _bind(self, connection: typing.Any, exchange: str) -> bool:
        """False while the service has not made its exchange; it is its own to make."""
        import amqp

        try:
            with connection.channel() as channel:
                channel.exchange_declare(exchange, "topic", passive=True)
                for topic in self._topics:
                    for priority in PRIORITIES:
                        channel.queue_bind(self._queue, exchange, f"{topic}.{priority}")
        except amqp.exceptions.ChannelError:
            return False
        LOG.info("exchange %s is listened to", exchange)
        return True

    def _note(self, message: typing.Any) -> None:
        message.ack()
        try:
            id = changed(message.payload)
        except Exception:  # whatever a body is, the next one is heard
            LOG.debug("a message of the cloud's that cannot be read", exc_info=True)
            return
        if id is not None:
            self._changed.add(id)

    def _tell(self) -> None:
        told, self._changed = self._changed, set()
        if told:
            self._heard(told)


def changed(body: object) -> str | None:
    """The id of the server or volume of which a message says that something ended."""
    message = body if isinstance(body, dict) else _read(body)
    if "oslo.message" in message:
        message = _read(message["oslo.message"])
    kind, payload = message.get("event_type"), message.get("payload")
    if not isinstance(kind, str) or not kind.endswith(ENDS):
        return None
    if not isinstance(payload, dict):
        return None
    inner = payload.get("nova_object.data")
    found = (
        inner.get("uuid")
        if isinstance(inner, dict)
        else payload.get("volume_id") or payload.get("instance_id")
    )
    return found if isinstance(found, str) and 0 < len(found) <= 64 else None


def _read(text: object) -> dict[str, typing.Any]:
    try:
        found = json.loads(text) if isinstance(text, str | bytes) else None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def addresses(conf: cfg.ConfigOpts, url: str) -> dict[str, typing.Any]:
    """What kombu connects to; ``errors.Invalid`` if the URL is none of RabbitMQ's."""
    import kombu.utils.url
    import oslo_messaging

    try:
        read = oslo_messaging.TransportURL.parse(conf, url)
    except (oslo_messaging.InvalidTransportURL, ValueError) as error:
        raise errors.Invalid(why="[cloud] notifications_url is no URL") from error
    if read.transport not in ("rabbit", "kombu") or not read.hosts:
        raise errors.Invalid(why="[cloud] notifications_url is no rabbit:// URL")
    said: dict[str, typing.Any] = {
        "hostname": ";".join(
            kombu.utils.url.as_url(
                "pyamqp",
                each.hostname,
                each.port or 5672,
                each.username,
                each.password,
                urllib.parse.quote(read.virtual_host or "/", safe=""),
                sanitize=False,
            )
            for each in read.hosts
        ),
        "connect_timeout": 5.0,
        "heartbeat": 60.0,
        "failover_strategy": "round-robin",
    }
    if str(read.query.get("ssl", "")).lower() in ("1", "true", "yes"):
        said["ssl"] = {
            "ca_certs": read.query.get("ssl_ca_file"),
            "cert_reqs": ssl.CERT_REQUIRED,
        }
    return said
