# SPDX-License-Identifier: Apache-2.0
"""trove-manage audit: what must hold, checked now."""

import typing

from trove import errors
from trove.actions import audit
from trove.cloud import registry
from trove.cmd import manage_broker
from trove.config import cloud as cloud_options
from trove.rpc.broker import Broker

Nouns = typing.Any
VIOLATED = 3


def add_to(nouns: Nouns) -> None:
    """Adds this command to the command line."""
    command = nouns.add_parser(
        "audit",
        help="whether database, cloud and broker agree; one line a violation",
        description="Evaluates INV-1 to 9, 11 and 16 to 20. A violation is told when "
        "it is there twice, a few seconds apart. Exit code 0: none; 3: there are some.",
    )
    command.add_argument(
        "--no-cloud", action="store_true", help="leave the cloud's part out"
    )
    command.add_argument(
        "--no-broker", action="store_true", help="leave the broker's part out"
    )
    command.add_argument(
        "--pause",
        type=float,
        default=audit.PAUSE,
        metavar="SECONDS",
        help="between the two looks (3)",
    )
    command.set_defaults(do=run)


def run(manage: typing.Any) -> int:
    """trove-manage audit"""
    asked = manage.asked
    cloud = None
    if not asked.no_cloud:
        cloud = registry.connect(**cloud_options.arguments(manage.conf))
    broker = None if asked.no_broker else _broker(manage.conf)
    found = audit.audit(manage.database(), cloud, broker, pause=asked.pause)
    if manage.out.as_json:
        lines = [{"invariant": f"INV-{v.invariant}", "what": v.text} for v in found]
        manage.out.rows(lines, ())
    else:
        for violation in found:
            manage.out.say(str(violation))
        if not found:
            manage.out.say("No violation.")
    return VIOLATED if found else 0


def _broker(conf: typing.Any) -> Broker:
    try:
        return manage_broker.of_guests(conf)
    except errors.Invalid as error:
        raise errors.Invalid(
            f"{error.message} Say --no-broker to leave the broker out."
        ) from None
