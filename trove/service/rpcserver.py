# SPDX-License-Identifier: Apache-2.0
"""An oslo.messaging server round endpoints: started with the process, then drained.

oslo.messaging acknowledges a message before it runs it, so what is queued at SIGKILL
is gone: nothing here may matter that a database does not also know.
"""

import logging
import threading
import typing
import warnings

import oslo_messaging
from oslo_messaging.rpc import dispatcher

LOG = logging.getLogger(__name__)


class RpcServer:
    """A part that serves ``endpoints`` on ``topic`` under the name ``server``."""

    def __init__(
        self,
        transport: typing.Any,
        topic: str,
        server: str,
        endpoints: typing.Sequence[object],
        *,
        serializer: typing.Any = None,
    ) -> None:
        self._topic = topic
        with warnings.catch_warnings():
            # It chooses the executor itself and then deprecates the choice.
            warnings.filterwarnings("ignore", message="Eventlet usages are deprecated")
            self._server = oslo_messaging.get_rpc_server(
                transport,
                oslo_messaging.Target(topic=topic, server=server),
                list(endpoints),
                serializer=serializer,
                access_policy=dispatcher.ExplicitRPCAccessPolicy,
            )
        self._started = False

    def start(self) -> None:
        """Declares its queues; returns when it consumes."""
        self._server.start()
        self._started = True

    def stop(self, within: float) -> bool:
        """No new message; those that run have ``within`` seconds."""
        if not self._started:
            return True
        self._started = False
        waiter = threading.Thread(target=self._drain, name="drain", daemon=True)
        waiter.start()
        waiter.join(within)
        if waiter.is_alive():
            LOG.warning("messages on %s still run and are left", self._topic)
        return not waiter.is_alive()

    def alive(self) -> bool:
        """oslo.messaging reconnects for ever; there is nothing to ask."""
        return self._started

    def _drain(self) -> None:
        self._server.stop()
        self._server.wait()
