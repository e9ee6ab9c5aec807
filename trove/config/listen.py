# SPDX-License-Identifier: Apache-2.0
"""Where and how trove-api listens when it serves itself."""

import typing

from oslo_config import cfg

GROUP = cfg.OptGroup("listen", title="Where trove-api listens")

OPTS = [
    cfg.HostAddressOpt(
        "host", default="127.0.0.1", help="The address; 0.0.0.0 or :: for every one."
    ),
    cfg.PortOpt("port", default=8779, help="The TCP port."),
    cfg.IntOpt("workers", default=2, min=1, max=256, help="Processes that serve."),
    cfg.IntOpt(
        "threads",
        default=16,
        min=1,
        max=512,
        help="Requests that a process answers at once (threading backend).",
    ),
    cfg.IntOpt(
        "backlog",
        default=512,
        min=16,
        max=65535,
        help="Connections that may wait to be accepted.",
    ),
    cfg.IntOpt(
        "keep_alive",
        default=15,
        min=1,
        max=600,
        help="Seconds that an idle connection is kept for its next request.",
    ),
    cfg.StrOpt(
        "certificate",
        help="Certificate chain (PEM): given, the API speaks TLS only.",
    ),
    cfg.StrOpt("key", help="Private key of the certificate (PEM)."),
    cfg.StrOpt(
        "client_ca",
        help="Given, a client must show a certificate of this authority (PEM).",
    ),
    cfg.StrOpt(
        "paste_config",
        default="/etc/trove/api-paste.ini",
        help="The pipeline in front of the API.",
    ),
    cfg.StrOpt("application", default="trove", help="The pipeline's name in there."),
]


def arguments(conf: cfg.ConfigOpts) -> dict[str, typing.Any]:
    """What ``service.wsgiserver.Listen`` takes, from the API's options."""
    group = conf.listen
    return {
        "host": group.host,
        "port": group.port,
        "workers": group.workers,
        "threads": group.threads,
        "backlog": group.backlog,
        "keep_alive": group.keep_alive,
        "certificate": group.certificate,
        "key": group.key,
        "client_ca": group.client_ca,
        "drain": float(conf.drain_time),
        "ready_file": conf.ready_file,
    }
