# SPDX-License-Identifier: Apache-2.0
"""The options of the cloud that instances are made in."""

import typing

from oslo_config import cfg

GROUP = cfg.OptGroup("cloud", title="The cloud that instances are made in")

OPTS = [
    cfg.StrOpt(
        "name",
        default="openstack",
        help="Which kind of cloud: 'openstack', or the name of an entry point in the "
        "group trove.cloud. 'memory' forgets everything at the end of the process.",
    ),
    cfg.StrOpt(
        "deployment",
        default="trove",
        regex=r"^[A-Za-z0-9_.\-]{1,43}$",
        help="Name of this deployment. Everything made in the cloud carries it, and "
        "the reaper looks at nothing else: it must differ between deployments that "
        "share a project, and must not change while there are instances.",
    ),
    cfg.StrOpt(
        "auth_url",
        default="http://127.0.0.1:5000/v3",
        help="Keystone's address, with its version.",
    ),
    cfg.StrOpt("username", default="trove", help="The service's user."),
    cfg.StrOpt("password", default="", secret=True, help="That user's password."),
    cfg.StrOpt("user_domain_name", default="Default", help="That user's domain."),
    cfg.StrOpt(
        "project_name",
        default="service",
        help="The project that owns servers, volumes, ports and groups.",
    ),
    cfg.StrOpt("project_domain_name", default="Default", help="That project's domain."),
    cfg.StrOpt(
        "application_credential_id",
        help="Used instead of user and project when it is set.",
    ),
    cfg.StrOpt(
        "application_credential_secret",
        default="",
        secret=True,
        help="The secret of the application credential.",
    ),
    cfg.StrOpt("region_name", help="Region, when the catalogue has several."),
    cfg.StrOpt(
        "interface",
        default="public",
        choices=["public", "internal", "admin"],
        help="Which of the catalogue's endpoints to use.",
    ),
    cfg.StrOpt(
        "public_network",
        help="Name or id of the network that public addresses are taken of, when the "
        "cloud has several external ones.",
    ),
    cfg.BoolOpt(
        "extend_in_use",
        default=True,
        help="Whether a volume can grow while a server has it. Some back-ends of "
        "Cinder cannot: there a database is stopped, with its server, while its "
        "volume grows.",
    ),
    cfg.IntOpt(
        "root_volume",
        min=1,
        help="Size in GiB of the volume that a server's root is on, made of the guest "
        "image and ended with the server. Without it roots are on their hosts' disks, "
        "as the flavor has them. An upgrade of such a server needs Nova's microversion "
        "2.93 (Zed) and a volume back-end that can write an image anew.",
    ),
    cfg.StrOpt(
        "root_volume_type",
        help="Type of those volumes; without it the cloud's default one.",
    ),
    cfg.StrOpt("cafile", help="CA certificates that the cloud's endpoints may have."),
    cfg.BoolOpt(
        "insecure",
        default=False,
        help="Believe every certificate. For a test cloud only.",
    ),
    cfg.StrOpt(
        "notifications_url",
        secret=True,
        help="Where Nova and Cinder send their notifications: a rabbit:// URL as "
        "oslo.messaging has it, with ?ssl=true&ssl_ca_file=... for TLS. A user that "
        "may read their exchanges and has a queue of its own is enough. An operation "
        "that waits for a server or a volume is then woken, and looks by itself every "
        "ten seconds; without it, every two.",
    ),
    cfg.ListOpt(
        "notification_exchanges",
        default=["nova", "cinder", "openstack"],
        help="The exchanges that these are sent to: each service's control_exchange. "
        "One that does not exist is looked for once a minute.",
    ),
    cfg.ListOpt(
        "notification_topics",
        default=["notifications", "versioned_notifications"],
        help="Their topics: each service's [oslo_messaging_notifications] topics, and "
        "Nova's [notifications] versioned_notifications_topics.",
    ),
    cfg.FloatOpt(
        "connect_timeout",
        default=5.0,
        min=0.1,
        max=60.0,
        help="Seconds to wait for a connection to the cloud.",
    ),
    cfg.FloatOpt(
        "read_timeout",
        default=15.0,
        min=1.0,
        max=600.0,
        help="Seconds to wait for the cloud's next bytes. With connect_timeout it must "
        "stay within [taskmanager] call_timeout, which a lease must outlive.",
    ),
]


OURS = (
    "public_network",
    "notifications_url",
    "notification_exchanges",
    "notification_topics",
)
"""What is the taskmanagers' to know, and no connection's."""


def arguments(conf: cfg.ConfigOpts) -> dict[str, typing.Any]:
    """What ``cloud.registry.connect`` takes, from a process's options."""
    return {
        opt.dest: conf[GROUP.name][opt.dest] for opt in OPTS if opt.dest not in OURS
    }
