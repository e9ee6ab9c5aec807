# SPDX-License-Identifier: Apache-2.0
"""trove-manage broker: what the brokers must hold before the first guest comes."""

import typing
import urllib.parse

from trove import errors
from trove.config import rpc as rpc_options
from trove.rpc.broker import Broker

Nouns = typing.Any
DIFFERS = 3


def add_to(nouns: Nouns) -> None:
    """Adds these commands to the command line."""
    noun = nouns.add_parser("broker", help="prepare the guests' RabbitMQ")
    verbs = noun.add_subparsers(dest="verb", metavar="VERB", required=True)
    command = verbs.add_parser(
        "prepare",
        help="make the guests' virtual host, or set it right; again does no harm",
        description="Makes the virtual host of [rpc] guests_url with its exchanges, "
        "its policies (limits of the queues) and the permissions of the control "
        "plane's user, through the management API ([rpc] broker_url). Both users must "
        "be there. Exit code 0: it is as it should be; 1: it cannot be; 3: --check "
        "found a difference.",
    )
    command.add_argument(
        "--check", action="store_true", help="change nothing, say what differs"
    )
    command.set_defaults(do=prepare)


def prepare(manage: typing.Any) -> int:
    """trove-manage broker prepare"""
    broker, vhost = of_guests(manage.conf), rpc_options.guests_vhost(manage.conf)
    user = urllib.parse.urlsplit(manage.conf.rpc.guests_url).username
    if not vhost or not user:
        raise errors.Invalid(
            "[rpc] guests_url must name a user and a virtual host: "
            "trove-rabbit://user:password@host:port//trove-guests"
        )
    user = urllib.parse.unquote(user)
    lacks = broker.vhost_lacks(user)
    if not manage.asked.check and lacks:
        broker.prepare_vhost(user)
    if manage.out.as_json:
        manage.out.facts(
            {"vhost": vhost, "lacks": lacks, "changed": not manage.asked.check}
        )
    else:
        for line in lacks:
            manage.out.say(line if manage.asked.check else f"{line}: done")
        if not lacks:
            manage.out.say(f"Virtual host {vhost} is as it should be.")
    return DIFFERS if lacks and manage.asked.check else 0


def of_guests(conf: typing.Any) -> Broker:
    """The management API of the guests' broker."""
    if not conf.rpc.broker_url or not conf.rpc.guests_url:
        raise errors.Invalid("[rpc] broker_url and guests_url are not set.")
    arguments = rpc_options.of_broker(conf)
    return Broker(**arguments | {"password": arguments["password"] or ""})
