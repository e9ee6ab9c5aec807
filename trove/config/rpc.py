# SPDX-License-Identifier: Apache-2.0
"""The options of the message brokers: where they are, and who we are to them."""

import typing
import urllib.parse

from oslo_config import cfg

GROUP = cfg.OptGroup("rpc", title="Message brokers")

OPTS = [
    cfg.StrOpt(
        "control_url",
        secret=True,
        help="Where the control plane's own messages go: "
        "rabbit://user:password@host:port//trove, hosts separated by commas. "
        "Only trove-api, trove-taskmanager and trove-conductor are let in there.",
    ),
    cfg.StrOpt(
        "guests_url",
        secret=True,
        help="Where the guests' messages go, as the control plane reaches it: "
        "trove-rabbit://user:password@host:port//trove-guests. A broker of its own is "
        "better than a second virtual host.",
    ),
    cfg.StrOpt(
        "ca_file",
        help="The certificate authority (PEM) of both brokers. Without it nothing is "
        "connected: TLS is not optional, and host names are verified.",
    ),
    cfg.ListOpt(
        "guest_hosts",
        default=[],
        help="The guests' broker as guests reach it: host:port, host:port.",
    ),
    cfg.IntOpt(
        "connections",
        default=64,
        min=2,
        max=1000,
        help="The most connections a process sends on, to each broker.",
    ),
    cfg.StrOpt(
        "broker_url",
        help="The management API of the guests' broker, where guests' users are made "
        "and revoked: https://host:15671.",
    ),
    cfg.StrOpt(
        "broker_user",
        default="trove-admin",
        help="The user of the management API; it needs the tag administrator.",
    ),
    cfg.StrOpt(
        "broker_password",
        secret=True,
        help="The password of broker_user.",
    ),
    cfg.StrOpt(
        "broker_ca_file",
        help="The certificate authority (PEM) of an https broker_url.",
    ),
]


def guests_vhost(conf: cfg.ConfigOpts) -> str:
    """The virtual host of the guests' broker: what its URL says after the host."""
    return urllib.parse.unquote(urllib.parse.urlsplit(conf.rpc.guests_url).path[1:])


def of_broker(conf: cfg.ConfigOpts) -> dict[str, typing.Any]:
    """What ``rpc.broker.Broker`` takes, from a process's options."""
    group = conf.rpc
    return {
        "url": group.broker_url,
        "user": group.broker_user,
        "password": group.broker_password,
        "vhost": guests_vhost(conf),
        "ca": group.broker_ca_file,
    }
