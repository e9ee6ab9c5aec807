# SPDX-License-Identifier: Apache-2.0
"""Where a guest finds the broker, and the credential it may use there once."""

from oslo_config import cfg

GROUP = cfg.OptGroup("broker", title="The guests' broker, as a guest sees it")

OPTS = [
    cfg.ListOpt(
        "hosts",
        default=[],
        help="The brokers, each as address:port, in any order.",
    ),
    cfg.StrOpt(
        "vhost",
        default="/trove-guests",
        help="The virtual host for guests.",
    ),
    cfg.StrOpt("user", help="This guest's own user."),
    cfg.StrOpt(
        "password",
        secret=True,
        help="The bootstrap password: good for the first contact only, and blanked "
        "once the agent has exchanged it for one that only it knows.",
    ),
    cfg.StrOpt(
        "ca_file",
        default="/etc/trove/broker-ca.pem",
        help="The authority whose certificates the broker must show (PEM).",
    ),
]
