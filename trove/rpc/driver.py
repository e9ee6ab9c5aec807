# SPDX-License-Identifier: Apache-2.0
"""The ``trove-rabbit`` driver: oslo.messaging's own, made safe to share with guests.

What it does otherwise than ``rabbit``:

- Replies go through the topic exchange ``trove_reply``. The default exchange, where
  they would go, lets whoever may write there write to any queue by its name.
- A guest looks exchanges up and never configures them.
- Every message carries the AMQP ``user_id`` of its sender, which the broker compares
  with the connection's user. It reaches the endpoint as ``broker_user``, always
  overwritten, so no sender can claim it.
- What arrives is looked at before oslo.messaging does: some of what a hostile sender
  can write would end its consuming thread, keep a worker waiting, or be decompressed.
- A guest is listened to so often (``rpc/rates.py``); the rest is dropped unread.
- Nothing is a remote exception, going out or coming in: those are text of one side's
  traceback, and parsed by the other.
- No fanout queues: nobody speaks to all guests, and each costs a Raft group.
- TLS with a CA and the name of the very host connected to, or no connection at all.
"""

import functools
import itertools
import logging
import time
import typing

import amqp.exceptions
import kombu.entity
import kombu.exceptions
import oslo_messaging
from oslo_config import cfg
from oslo_messaging._drivers import amqp as rpc_amqp
from oslo_messaging._drivers import amqpdriver, base, impl_rabbit
from oslo_messaging._drivers import common as rpc_common

from trove import errors
from trove.rpc import codec, confirms, rates, screen
from trove.rpc.transport import REPLY_EXCHANGE

LOG = logging.getLogger(__name__)

RETRY = 2
"""How often a connection is tried again before its user is told.

Never for ever: its heartbeat reconnects under the lock that senders wait for, and one
that gave itself two tries would wait with it.
"""

CONTROL = "control"
GUEST = "guest"

OPTS = [
    cfg.StrOpt(
        "trove_side",
        choices=[CONTROL, GUEST],
        default=CONTROL,
        help="Which side of the guests' broker this process is on; set by the process "
        "itself.",
    ),
    cfg.FloatOpt(
        "trove_guest_rate",
        default=rates.EACH_SECOND,
        min=0,
        help="Messages a second that each guest may send to one process of the control "
        "plane; what is more is dropped and counted. 0: any number.",
    ),
]

UNREADABLE = (
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    kombu.exceptions.KombuError,
    rpc_common.RPCException,
)
"""What the libraries below raise for a body that is no message."""

BUSY = (OSError, amqp.exceptions.AMQPError, kombu.exceptions.KombuError)
"""What opening a channel raises past oslo.messaging's own tries."""
PAUSE = 1.0
"""Seconds before the next of ours."""


class Consumer(impl_rabbit.Consumer):
    """A consumer that screens what it hands on; ``passive`` only looks exchanges up."""

    def __init__(
        self,
        callback: typing.Callable[[typing.Any], None],
        *,
        replies: bool,
        passive: bool,
        largest: int,
        limits: rates.Rates,
        **settings: typing.Any,
    ) -> None:
        super().__init__(callback=self._screened, **settings)
        self.exchange.passive = passive
        self._deliver = callback
        self._replies = replies
        self._largest = largest
        self._limits = limits

    def _callback(self, message: typing.Any) -> None:
        """Before anything decodes, or decompresses, the body."""
        if not self._limits.allow(message.properties.get("user_id")):
            message.channel.basic_reject(message.delivery_tag, requeue=False)
            return
        if len(message.body) > self._largest or "compression" in (
            message.properties.get("application_headers") or {}
        ):
            self._drop("too large, or compressed", message.properties.get("user_id"))
            message.channel.basic_reject(message.delivery_tag, requeue=False)
            return
        message = self.queue.channel.message_to_python(message)
        try:
            read = impl_rabbit.RabbitMessage(message)
        except UNREADABLE:
            self._drop("not a message", message.properties.get("user_id"))
            message.reject()
        else:
            self._screened(read)

    def _screened(self, message: typing.Any) -> None:
        sender = message._raw_message.properties.get("user_id")
        if self._replies:
            fault = screen.tidy_reply(message)
        else:
            fault = screen.fault_of_request(message, sender)
            screen.stamp(message, sender)
        if fault is None:
            self._deliver(message)
        else:
            self._drop(fault, sender)
            message.acknowledge()

    def _drop(self, reason: str, sender: object) -> None:
        screen.drop(reason, self.queue_name, sender)


class Producer(confirms.Producer):
    """Publishes as the user of its connection, and says so."""

    def __init__(self, channel: typing.Any, user: str, **settings: typing.Any) -> None:
        super().__init__(channel, **settings)  # type: ignore[no-untyped-call]
        self._user = user

    def publish(  # type: ignore[override]
        self, body: object, **settings: typing.Any
    ) -> typing.Any:
        """As ever, with the ``user_id`` that the broker checks."""
        settings["user_id"] = self._user
        return super().publish(body, **settings)


class TlsOptions(dict[str, typing.Any]):
    """TLS options for which kombu must ask the server's name again and again.

    It fills the name in once, from the first host, and then asks every other host of
    the list for the first one's name. Asked afresh, it fills in each host's own.
    """

    def __getitem__(self, name: str) -> typing.Any:
        return None if name == "server_hostname" else super().__getitem__(name)


def _exchange(name: str, passive: bool) -> typing.Any:
    make: typing.Any = kombu.entity.Exchange
    return make(name, type="topic", durable=True, passive=passive)


class Connection(confirms.Connection):
    """A connection to the guests' broker, of either side."""

    def __init__(
        self,
        conf: typing.Any,
        url: typing.Any,
        purpose: str,
        retry: int | None = None,
        limits: rates.Rates | None = None,
    ) -> None:
        self._limits = limits or rates.Rates()
        retry = RETRY if retry is None else retry
        self.guest = conf.oslo_messaging_rabbit.trove_side == GUEST
        # The envelope holds a text of JSON in JSON: what is quoted may double.
        self.largest = 2 * (codec.TO_GUEST if self.guest else codec.FROM_GUEST)
        super().__init__(conf, url, purpose, retry)

    def _fetch_ssl_params(self) -> TlsOptions:
        return TlsOptions(super()._fetch_ssl_params())

    def ensure_connection(self) -> None:
        """Connect; in our own words if that cannot be."""
        try:
            super().ensure_connection()
        except amqp.exceptions.AccessRefused as error:
            what = "the message broker does not accept the credential"
            raise errors.Forbidden(what=what) from error
        except (kombu.exceptions.OperationalError, OSError) as error:
            raise oslo_messaging.MessageDeliveryFailure(str(error)) from error

    def _new_producer(self, channel: typing.Any) -> Producer:
        return Producer(channel, self.connection.userid, on_return=self.on_return)

    def _consume_from(
        self,
        queue: str,
        exchange: str,
        callback: typing.Callable[[typing.Any], None],
        *,
        replies: bool,
    ) -> None:
        """Declare ``queue``, bound by its own name, and consume from it."""
        self.declare_consumer(
            Consumer(
                callback,
                replies=replies,
                passive=self.guest,
                largest=self.largest,
                limits=self._limits,
                exchange_name=exchange,
                queue_name=queue,
                routing_key=queue,
                type="topic",
                durable=True,
                exchange_auto_delete=False,
                queue_auto_delete=False,
                rabbit_queue_ttl=self.rabbit_transient_queues_ttl if replies else 0,
                enable_cancel_on_failover=self.enable_cancel_on_failover,
                rabbit_quorum_queue=True,
                rabbit_quorum_queue_config=self.rabbit_quorum_queue_config,
            )
        )

    def declare_direct_consumer(
        self, topic: str, callback: typing.Callable[[typing.Any], None]
    ) -> None:
        """Where our replies arrive."""
        self._consume_from(topic, REPLY_EXCHANGE, callback, replies=True)

    def declare_topic_consumer(
        self,
        exchange_name: str,
        topic: str,
        callback: typing.Callable[[typing.Any], None],
        queue_name: str | None = None,
    ) -> None:
        """Where requests arrive."""
        self._consume_from(topic, exchange_name, callback, replies=False)

    def direct_send(self, msg_id: str, msg: object) -> None:
        """A reply, to the queue ``msg_id``; ``MessageUndeliverable`` if it is gone."""
        self._ensure_publishing(
            self._publish_and_raises_on_missing_exchange,
            _exchange(REPLY_EXCHANGE, passive=True),
            msg,
            routing_key=msg_id,
            transport_options=oslo_messaging.TransportOptions(at_least_once=True),
        )

    def topic_send(
        self,
        exchange_name: str,
        topic: str,
        msg: object,
        timeout: float | None = None,
        retry: int | None = None,
        transport_options: typing.Any = None,
    ) -> None:
        """A request."""
        self._ensure_publishing(
            self._publish,
            _exchange(exchange_name, passive=self.guest),
            msg,
            routing_key=topic,
            timeout=confirms.lived(timeout),
            retry=retry,
            transport_options=transport_options,
        )


class Incoming(amqpdriver.AMQPIncomingMessage):
    """A request whose failure is told in our own words."""

    def reply(self, reply: object = None, failure: object = None) -> None:
        """Answer; an exception nobody foresaw is in our log, and stays there."""
        super().reply(screen.FAILED if failure else reply)


class Listener(amqpdriver.RpcAMQPListener):
    """Requests as they come in; one that came a moment ago goes no further.

    oslo.messaging would write a traceback for each of these, as often as a guest sends
    them.
    """

    message_cls = Incoming

    def __call__(self, message: typing.Any) -> None:
        if message.get(rpc_amqp.UNIQUE_ID) in self.msg_id_cache.prev_msgids:
            raw = message._raw_message
            queue = raw.delivery_info.get("routing_key", "")
            screen.drop("said already", queue, raw.properties.get("user_id"))
            message.acknowledge()
        else:
            super().__call__(message)


class ReplyNames:
    """Names a process's reply queues by counting them.

    oslo.messaging keeps the count in a file in /dev/shm, where anybody on the machine
    may put a link to a file of root's before the agent, as root, writes there. A guest
    has one such process, so its own count will do.
    """

    _count: typing.ClassVar["itertools.count[int]"] = itertools.count(1)

    def __init__(self, hostname: str, processname: str) -> None:
        self._prefix = f"{hostname}:{processname}"

    def get(self) -> str:
        """The next name."""
        return f"{self._prefix}:{next(self._count)}"


class Driver(impl_rabbit.RabbitDriver):
    """``oslo.messaging.drivers``: ``trove-rabbit``."""

    def __init__(
        self, conf: typing.Any, url: typing.Any, *args: typing.Any, **kwargs: typing.Any
    ) -> None:
        conf.register_opts(OPTS, group="oslo_messaging_rabbit")
        url.transport = "rabbit"  # kombu knows no other name for it
        super().__init__(conf, url, *args, **kwargs)
        ours = self.conf.oslo_messaging_rabbit
        if not (ours.ssl and ours.ssl_ca_file):
            raise RuntimeError("trove-rabbit needs TLS, and the broker's CA")
        if not ours.rabbit_quorum_queue or not ours.rabbit_transient_quorum_queue:
            raise RuntimeError("trove-rabbit needs quorum queues")
        # One bucket a guest, whichever of our connections hears it.
        self._connection_pool.connection_cls = functools.partial(
            Connection, limits=rates.Rates(ours.trove_guest_rate)
        )
        if ours.use_queue_manager:
            self._q_manager = ReplyNames(ours.hostname, ours.processname)

    def listen(
        self, target: typing.Any, batch_size: int, batch_timeout: float | None
    ) -> base.PollStyleListenerAdapter:
        """Requests for the topic, and for this server of it."""
        connection = self._broker_to_listen_to()
        listener = Listener(self, connection)
        for topic in (target.topic, f"{target.topic}.{target.server}"):
            connection.declare_topic_consumer(
                self._get_exchange(target), topic, listener
            )
        return base.PollStyleListenerAdapter(listener, batch_size, batch_timeout)

    def _broker_to_listen_to(self) -> typing.Any:
        """A server, other than a caller, waits for its broker."""
        while True:
            try:
                return self._get_connection(rpc_common.PURPOSE_LISTEN)
            except oslo_messaging.MessageDeliveryFailure as error:
                # It has tried, with pauses, before it gave up.
                LOG.warning("no broker to serve on yet: %s", error)
            except BUSY as error:
                # A broker that is there and too busy to answer in time.
                LOG.warning("the broker does not serve yet: %r", error)
                time.sleep(PAUSE)
