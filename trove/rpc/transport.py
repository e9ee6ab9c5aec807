# SPDX-License-Identifier: Apache-2.0
"""The transports: one to each broker, each with the settings its side needs.

``control`` is for the control plane among itself, ``guests`` for its words with guests,
``guest`` for a guest. oslo.messaging has one group of options for a process; what
differs between two transports of one process travels in each one's URL, which overrides
the group. oslo.messaging is loaded by the first transport, not by this module.
"""

import os
import re
import typing

from oslo_config import cfg

from trove import errors
from trove.rpc.interface import Check, Interface

EXCHANGE = "trove"
REPLY_EXCHANGE = "trove_reply"
GUESTS = "trove-rabbit"
"""The scheme of the guests' broker: our driver."""

PROCESS = "trove-guestagent"
"""The part of a guest's reply queue's name that the broker's permissions know."""

GUEST_THREADS = 4

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9A-Za-z.-]+)):([0-9]{1,5})")

# Quorum queues throughout: they survive a broker, and RabbitMQ 4.3 has no others.
_EVERYWHERE = {
    "rabbit_quorum_queue": "true",
    "rabbit_transient_quorum_queue": "true",
    "rabbit_quorum_delivery_limit": "10",
    "rabbit_retry_backoff": "1",
    "rabbit_interval_max": "10",
    # Each of a list in turn; by chance, one that is away could be tried every time.
    "kombu_failover_strategy": "round-robin",
}
_CONTROL = {
    # Names of reply queues are random here: a guest cannot guess them, and two
    # processes of one name on one machine cannot be given the same. What a killed
    # process leaves behind goes by itself.
    "use_queue_manager": "false",
    "rabbit_transient_queues_ttl": "600",
    # The rest waits in the broker, where a queue's bounds hold.
    "rabbit_qos_prefetch_count": "200",
    # A worker waits this long for the queue of somebody who asked and is gone.
    "kombu_missing_consumer_retry_timeout": "5",
}
_GUEST = {
    "use_queue_manager": "true",
    "processname": PROCESS,
    "rabbit_transient_queues_ttl": "600",
    "rpc_conn_pool_size": "2",
    "conn_pool_min_size": "1",
    # All guests come back at once after the broker was away.
    "kombu_reconnect_splay": "5",
}


def control(conf: cfg.ConfigOpts) -> typing.Any:
    """The control plane's own broker."""
    return _of_the_control_plane(conf, conf.rpc.control_url, "control_url")


def guests(conf: cfg.ConfigOpts) -> typing.Any:
    """The guests' broker, for the control plane."""
    return _of_the_control_plane(conf, conf.rpc.guests_url, "guests_url")


def notices(conf: cfg.ConfigOpts) -> typing.Any:
    """Where notifications go: a broker of their own, or the control plane's."""
    import oslo_messaging

    own = conf.oslo_messaging_notifications.transport_url
    if own:
        # another service's broker: its TLS is what its URL says
        return oslo_messaging.get_notification_transport(conf, own)
    return _of_the_control_plane(conf, conf.rpc.control_url, "control_url")


def _of_the_control_plane(
    conf: cfg.ConfigOpts, text: str | None, option: str
) -> typing.Any:
    import oslo_messaging

    _prepare(conf)
    if not text:
        raise errors.Invalid(why=f"[rpc] {option} is not set")
    url = oslo_messaging.TransportURL.parse(conf, text)
    if url.transport != "fake":
        wanted = GUESTS if option == "guests_url" else "rabbit"
        if url.transport != wanted:
            raise errors.Invalid(why=f"[rpc] {option} must begin with {wanted}://")
        size = {"rpc_conn_pool_size": str(conf.rpc.connections)}
        # What an operator writes into the URL wins, but not over TLS.
        url.query = _EVERYWHERE | _CONTROL | size | url.query | _tls(conf.rpc.ca_file)
    made = oslo_messaging.get_rpc_transport(conf, url)
    if url.transport == "rabbit" and option == "control_url":
        from trove.rpc import confirms

        confirms.bound(made)
    return made


def guest(
    conf: cfg.ConfigOpts,
    *,
    instance: str,
    hosts: typing.Sequence[str],
    vhost: str,
    user: str,
    password: str,
    ca_file: str,
    lock_path: str,
) -> typing.Any:
    """The guests' broker, for the guest of ``instance``.

    ``lock_path`` is a directory of the agent's: the counter of its reply queues' names,
    which the broker's permissions bound, is guarded by a lock file there.
    """
    import oslo_messaging
    from oslo_concurrency import lockutils
    from oslo_messaging import server as servers

    _prepare(conf)
    cfg.set_defaults(servers._pool_opts, executor_thread_pool_size=GUEST_THREADS)
    tls = _tls(ca_file)
    lockutils.set_defaults(lock_path)
    url = oslo_messaging.TransportURL(
        conf,
        transport=GUESTS,
        virtual_host=vhost,
        hosts=[_host(host, user, password) for host in hosts],
        query=_EVERYWHERE
        | _GUEST
        | {"trove_side": "guest", "hostname": f"guest-{instance}"}
        | tls,
    )
    if not url.hosts:
        raise errors.Invalid(why="no broker is named")
    return oslo_messaging.get_rpc_transport(conf, url)


def _prepare(conf: cfg.ConfigOpts) -> None:
    """What oslo.messaging keeps for the whole process."""
    import oslo_messaging
    from oslo_messaging.rpc import dispatcher

    if conf is not cfg.CONF:
        # It reads some options from the global object whatever it is handed.
        raise TypeError("oslo.messaging works with the global cfg.CONF only")
    oslo_messaging.set_transport_defaults(EXCHANGE)
    cfg.set_defaults(dispatcher._dispatcher_opts, rpc_ping_enabled=True)
    # Its own ping is not exposed, so that the strict policy would refuse it.
    oslo_messaging.expose(dispatcher.PingEndpoint.oslo_rpc_server_ping)


def _tls(ca_file: str | None) -> dict[str, str]:
    """TLS with the chain and the name verified; oslo.messaging verifies neither
    without a CA file, so there is no transport without one."""
    if not ca_file or not os.path.isfile(ca_file):
        raise errors.Invalid(why=f"the broker's CA file is not there: {ca_file}")
    return {"ssl": "true", "ssl_ca_file": ca_file}


def _host(text: str, user: str, password: str) -> typing.Any:
    import oslo_messaging

    match = _HOST.fullmatch(text.strip())
    if match is None:
        raise errors.Invalid(why=f"{text} is not host:port")
    return oslo_messaging.TransportHost(
        hostname=match[1] or match[2],
        port=int(match[3]),
        username=user,
        password=password,
    )


def server(
    transport: typing.Any,
    interface: type[Interface],
    manager: object,
    name: str,
    check: Check | None = None,
) -> typing.Any:
    """A part of a process: ``manager`` behind ``interface``, not yet started."""
    from trove.service import rpcserver

    return rpcserver.RpcServer(
        transport, interface.address(name), name, [interface.serve(manager, check)]
    )
