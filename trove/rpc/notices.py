# SPDX-License-Identifier: Apache-2.0
"""Notifications on the bus, in the format that OpenStack's listeners read.

By the group ``[oslo_messaging_notifications]``, as in every service: ``driver``,
``topics``, ``transport_url`` (here the control broker's, unless it says another).
oslo.messaging's own notifier says nothing of a message that did not arrive, so the
broker is handed it here; the log is the notifier's other way that we know.
"""

import json
import logging
import typing

from oslo_config import cfg

from trove import errors
from trove.rpc import transport

LOG = logging.getLogger("oslo.messaging.notification.trove")
VERSIONS = {"messaging": 1.0, "messagingv2": 2.0}
SILENT = frozenset({"noop"})
GROUP = "oslo_messaging_notifications"

Message = dict[str, typing.Any]


class Notices:
    """The way out. ``publisher`` is who says it: ``taskmanager.<host>``."""

    def __init__(self, conf: cfg.ConfigOpts, publisher: str) -> None:
        from oslo_messaging.notify import notifier

        conf.register_opts(notifier._notifier_opts, group=GROUP)
        self._publisher = publisher
        self._topics = list(conf[GROUP].topics)
        drivers = [each for each in conf[GROUP].driver if each not in SILENT]
        if unknown := set(drivers) - set(VERSIONS) - {"log"}:
            raise errors.Invalid(
                why=f"[{GROUP}] driver {', '.join(sorted(unknown))} is not known: "
                f"messagingv2, messaging, log or noop"
            )
        self._versions = [VERSIONS[each] for each in drivers if each in VERSIONS]
        self._logs = "log" in drivers
        self._bus = transport.notices(conf) if self._versions else None

    @property
    def wanted(self) -> bool:
        """Whether anybody is to be told anything."""
        return self._logs or bool(self._versions)

    def send(
        self,
        id: str,
        kind: str,
        payload: Message,
        *,
        at: str,
        request_id: str | None,
        error: bool = False,
    ) -> None:
        """One notification; raises ``errors.Unavailable`` when it did not arrive."""
        priority = "error" if error else "info"
        message = {
            "message_id": id,
            "publisher_id": self._publisher,
            "event_type": kind,
            "priority": priority.upper(),
            "payload": payload,
            "timestamp": at,
        }
        if self._logs:
            LOG.info("%s", json.dumps(message, sort_keys=True))
        for version in self._versions:
            for topic in self._topics:
                self._put(f"{topic}.{priority}", message, request_id, version)

    def _put(
        self, topic: str, message: Message, request_id: str | None, version: float
    ) -> None:
        import kombu.exceptions
        import oslo_messaging

        away = (
            oslo_messaging.MessagingException,
            kombu.exceptions.KombuError,  # of a connection's first try
            OSError,
        )
        try:
            self._bus._send_notification(  # type: ignore[union-attr]
                oslo_messaging.Target(topic=topic),
                {"request_id": request_id},
                message,
                version=version,
                retry=0,
            )
        except away as error:
            raise errors.Unavailable(what="The bus of notifications") from error
