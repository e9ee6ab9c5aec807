# SPDX-License-Identifier: Apache-2.0
"""Health checks that look: a statement to the database, a handshake with the broker.

Plug-ins of oslo.middleware's healthcheck, which answers 503 when one of them says no.
"""

import time
import typing
from collections.abc import Callable

import amqp
import oslo_messaging
import sqlalchemy as sa
from oslo_config import cfg
from oslo_middleware.healthcheck.pluginbase import (
    HealthcheckBaseExtension,
    HealthcheckResult,
)

from trove import errors
from trove.api import app
from trove.db import dialects
from trove.db.session import Database as ControlDatabase

BELIEVED = 5.0
"""Seconds for which a look counts: a crowd of probes costs one connection."""


class _Look(HealthcheckBaseExtension):
    """Looks at most once in a while."""

    what = ""

    def __init__(
        self,
        oslo_conf: cfg.ConfigOpts,
        conf: dict[str, typing.Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(oslo_conf, conf)
        self._clock = clock
        self._last: tuple[float, HealthcheckResult] | None = None

    def healthcheck(self, server_port: int) -> HealthcheckResult:
        """What was found, now or a moment ago."""
        if self._last is None or self._clock() - self._last[0] > BELIEVED:
            self._last = (self._clock(), self._result())
        return self._last[1]

    def _result(self) -> HealthcheckResult:
        why = self.look()
        if why is None:
            return HealthcheckResult(True, f"{self.what} answers")
        return HealthcheckResult(False, f"{self.what} does not answer", details=why)

    def look(self) -> str | None:
        """None when all is well, or what kind of failure there was; no addresses."""
        raise NotImplementedError


class Database(_Look):
    """The control database carries a statement out."""

    what = "The database"

    def __init__(
        self,
        oslo_conf: cfg.ConfigOpts,
        conf: dict[str, typing.Any],
        database: ControlDatabase | None = None,
        **about: typing.Any,
    ) -> None:
        super().__init__(oslo_conf, conf, **about)
        self._database = database

    def look(self) -> str | None:
        database = self._database or app.shared().database
        try:
            with database.reading() as tx:
                tx.execute(sa.select(1))
        except (*dialects.Trouble, errors.TroveError) as error:
            return type(error).__name__
        return None


class Broker(_Look):
    """The control plane's broker lets us in."""

    what = "The message broker"

    def __init__(
        self,
        oslo_conf: cfg.ConfigOpts,
        conf: dict[str, typing.Any],
        connect: Callable[[cfg.ConfigOpts], None] | None = None,
        **about: typing.Any,
    ) -> None:
        super().__init__(oslo_conf, conf, **about)
        self._connect = connect or shake_hands

    def look(self) -> str | None:
        try:
            self._connect(self.oslo_conf)
        except (OSError, amqp.AMQPError, errors.TroveError) as error:
            return type(error).__name__
        return None


def shake_hands(conf: cfg.ConfigOpts) -> None:
    """Logs in to one of the brokers of ``[rpc] control_url``, and out again.

    Raises what the last of them raised when none lets us in. Without a broker (a test's
    transport, or none at all) there is nothing to look at.
    """
    group = conf.rpc
    if not group.control_url:
        return
    url = oslo_messaging.TransportURL.parse(conf, group.control_url)
    if url.transport == "fake":
        return
    failure: Exception = errors.Unavailable(what="The message broker")
    for host in url.hosts:
        try:
            with amqp.Connection(
                host=f"{host.hostname}:{host.port or 5671}",
                userid=host.username,
                password=host.password,
                virtual_host=url.virtual_host or "/",
                ssl={"ca_certs": group.ca_file, "server_hostname": host.hostname},
                connect_timeout=conf.api.connect_timeout,
                read_timeout=conf.api.connect_timeout,
                write_timeout=conf.api.connect_timeout,
            ):
                return
        except (OSError, amqp.AMQPError) as error:
            failure = error
    raise failure
