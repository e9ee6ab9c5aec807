# SPDX-License-Identifier: Apache-2.0
"""How the conductor receives what guests report."""

from oslo_config import cfg

GROUP = cfg.OptGroup("conductor", title="Conductor")

OPTS = [
    cfg.FloatOpt(
        "flush_interval",
        default=0.2,
        min=0.05,
        max=30,
        help="Seconds that an unchanged report may wait in memory to be written with "
        "others. A changed one is written at once.",
    ),
    cfg.StrOpt(
        "authority",
        default="/etc/trove/pki",
        help="Directory of the deployment's certificate authority, which signs the "
        "certificates of guests.",
    ),
    cfg.IntOpt(
        "certificate_days",
        default=90,
        min=7,
        max=825,
        help="Days for which a guest's certificate is good. It is renewed when two "
        "thirds of them have passed.",
    ),
]
