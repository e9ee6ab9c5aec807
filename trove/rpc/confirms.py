# SPDX-License-Identifier: Apache-2.0
"""Confirms: the broker's word that it has a message, awaited for so long and no longer.

oslo.messaging waits for it as long as for a heartbeat, a minute. A broker that was
killed and came back may never say it of a queue that it had not recovered yet; on a
connection made anew the same message goes through. Whoever sends has promised to be
done within ``call_timeout``, and a lease depends on that.

Nor is there a queue for what is said to all servers of a topic: nobody says that. It
would be a new one with each start of a process, and one that was being declared when
its broker was killed has no leader afterwards (ADR 13): who asked for it hung for a
minute, and with it the questions that the broker had handed to the same connection.

And a question waits for its server no longer than its sender does: oslo.messaging lets
it stay in the queue for the whole of its time-out, when whoever asked has long been
told that nobody answers.
"""

import typing

import kombu.messaging
from oslo_messaging._drivers import impl_rabbit

from trove.rpc.interface import MONITORED
from trove.rpc.leaderless import SUSPECTS

WITHIN = 4.0
"""Seconds. A quorum queue's confirm waits for a disk, not for that."""

CONNECT = 3.0
"""Seconds for a connection and for each of its handshakes."""

CLOSE = 0.2
"""Seconds that a connection that is given up gets to be closed in good order."""


class Producer(kombu.messaging.Producer):
    """Publishes; a confirm that does not come is a connection to be made anew."""

    def publish(  # type: ignore[override]
        self, body: object, **settings: typing.Any
    ) -> typing.Any:
        """As ever, with a bound."""
        settings.setdefault("confirm_timeout", WITHIN)
        try:
            return super().publish(body, **settings)  # type: ignore[no-untyped-call]
        except TimeoutError:
            SUSPECTS.queue(settings.get("routing_key"))
            # Its end of TLS would be waited for as long as for a heartbeat.
            self.channel.connection.sock.settimeout(CLOSE)
            raise


class Connection(impl_rabbit.Connection):
    """oslo.messaging's own connection, with that producer and without that queue."""

    max_retries: int | None

    def ensure_connection(self) -> None:
        """Connect, each try bounded; each broker of the list is tried."""
        self.connection.connect_timeout = CONNECT
        self.max_retries = self._round(self.max_retries)
        super().ensure_connection()

    def ensure(
        self,
        method: typing.Callable[[], object],
        retry: int | None = None,
        **settings: typing.Any,
    ) -> typing.Any:
        """As ever; the next broker of the list is no second try of the first."""
        return super().ensure(method, self._round(retry), **settings)

    def declare_fanout_consumer(
        self, topic: str, callback: typing.Callable[[typing.Any], None]
    ) -> None:
        """Does nothing."""

    def topic_send(
        self,
        exchange_name: str,
        topic: str,
        msg: object,
        timeout: float | None = None,
        retry: int | None = None,
        transport_options: typing.Any = None,
    ) -> None:
        """As ever; what asks for an answer ends in the queue when nobody takes it."""
        super().topic_send(
            *(exchange_name, topic, msg, lived(timeout)), retry, transport_options
        )

    def _round(self, retry: int | None) -> int | None:
        """A number of tries again that gets through the list of brokers."""
        if retry is None or retry < 0:
            return None
        return max(retry, len(self.connection.alt))

    def _set_current_channel(self, new_channel: typing.Any) -> None:
        changed = new_channel is not None and new_channel != self.channel
        super()._set_current_channel(new_channel)
        if changed:
            self._producer = self._new_producer(new_channel)

    def _new_producer(self, channel: typing.Any) -> Producer:
        return Producer(channel, on_return=self.on_return)  # type: ignore[no-untyped-call]


def lived(timeout: float | None) -> float | None:
    """Seconds that a request stays in its queue; None: one that nobody waits for."""
    return None if timeout is None else min(timeout, MONITORED)


def bound(transport: typing.Any) -> None:
    """Makes a transport's connections such ones; before its first."""
    transport._driver._connection_pool.connection_cls = Connection
