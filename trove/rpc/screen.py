# SPDX-License-Identifier: Apache-2.0
"""The screen: what a message must be before oslo.messaging may look at it.

Some of what a hostile sender can write would end the thread that consumes, keep a
worker waiting, or raise whatever it likes in the caller. Pure: only dicts go in here.
"""

import collections
import logging
import re
import typing

from trove.rpc import rates

LOG = logging.getLogger(__name__)

DROPPED: collections.Counter[str] = collections.Counter()
"""Messages that never reached an endpoint, by reason, since the process began."""

CONTEXT = frozenset(
    f"_context_{name}"
    for name in ("project", "user", "roles", "is_admin", "request_id", "signature")
)
ENVELOPE = frozenset(
    ("method", "args", "version", "_unique_id", "_msg_id", "_reply_q", "_timeout")
)
_LONGEST = 128
_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")
_GUEST_USER = re.compile(r"guest-[0-9A-Za-z_-]{1,64}")
FAILED = {"error": "Internal", "message": "The other side failed unforeseen."}


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST


def fault_of_request(message: dict[str, typing.Any], sender: object) -> str | None:
    """Why a request must not go further; None if it may."""
    if not _is_name(message.get("method")) or not isinstance(message.get("args"), dict):
        return "no method, or no arguments"
    version = message.get("version", "1.0")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        return "version is no version"
    for name in ("_unique_id", "_msg_id"):
        if message.get(name) is not None and not _is_name(message[name]):
            return f"{name} is no name"
    timeout = message.get("_timeout")
    if timeout is not None and (type(timeout) is not int or not 2 <= timeout <= 3600):
        return "_timeout is no number of seconds"
    queue = message.get("_reply_q")
    if queue is None:
        return "no reply queue" if message.get("_msg_id") else None
    if not _is_name(queue) or not isinstance(sender, str):
        return "nobody to answer"
    # A guest that names another's queue, or one that is not there, would have us
    # write to it, or try to for as long as we wait for a queue that comes back.
    if _GUEST_USER.fullmatch(sender) and not queue.startswith(f"reply_{sender}:"):
        return "the reply queue is not the sender's"
    return None


def stamp(message: dict[str, typing.Any], sender: object) -> None:
    """Keep what we know of a request; say who the broker says sent it."""
    for name in [name for name in message if name not in ENVELOPE | CONTEXT]:
        del message[name]
    message["_context_broker_user"] = sender


def tidy_reply(message: dict[str, typing.Any]) -> str | None:
    """Give a reply the form its waiter needs; why it must be dropped, or None."""
    if not _is_name(message.get("_msg_id")):
        return "a reply to nothing"
    if message.get("_unique_id") is not None and not _is_name(message["_unique_id"]):
        return "_unique_id is no name"
    if message.get("failure") is not None:
        message["result"], message["ending"] = FAILED, True
    message["failure"] = None
    message["ending"] = message.get("ending") is True
    return None


def drop(reason: str, queue: str, sender: object) -> None:
    """Count a message that goes no further, and say so now and then."""
    DROPPED[reason] += 1
    rates.FLOODS.refused(sender)
    count = DROPPED[reason]
    # The 1st, 2nd, 4th, 8th: a flood of messages is no flood of the log.
    if count & (count - 1) == 0:
        LOG.warning(
            "dropped from %s, sent by %s: %s (%s of these so far)",
            queue,
            sender,
            reason,
            count,
        )
