# SPDX-License-Identifier: Apache-2.0
"""The guests' broker's management API: a user per guest, what it may do, its end.

Idempotent throughout: a step that runs twice finds done what it did. A guest's user is
``guest-<instance>``; everything it may touch is in the regular expressions below, and
``tests/contract/rpc/test_attacks.py`` is what they are for.
"""

import re
import typing
import urllib.parse
from collections.abc import Iterator

import requests

from trove import errors
from trove.rpc.transport import EXCHANGE, PROCESS, REPLY_EXCHANGE

PREFIX = "guest-"
TIMEOUT = (5, 30)
"""Seconds to connect, and to answer."""

LIMITS = {"max-connections": 10, "max-channels": 20}
"""Two to send, two to receive; and as many again while a cut network still holds the
old ones open."""

POLICIES: dict[str, dict[str, typing.Any]] = {
    # A command that finds the queue full is refused, so that its sender knows; what
    # guests send gives way to what they send next.
    "trove-guest-queues": {
        "pattern": r"^guestagent\.",
        "definition": {
            "max-length": 1000,
            "max-length-bytes": 8388608,
            "message-ttl": 3600000,
            "overflow": "reject-publish",
        },
    },
    "trove-guest-replies": {
        "pattern": r"^reply_guest-",
        "definition": {
            "max-length": 1000,
            "max-length-bytes": 8388608,
            "message-ttl": 600000,
        },
    },
    "trove-reports": {
        "pattern": r"^trove-conductor",
        "definition": {
            # What a flood can put between an honest guest and us, at most.
            "max-length": 20000,
            "max-length-bytes": 33554432,
            "message-ttl": 600000,
        },
    },
}

_INSTANCE = re.compile(r"[0-9A-Za-z_-]{1,64}")
_HASHING = "rabbit_password_hashing_sha256"


def user_of(instance: str) -> str:
    """The broker user of an instance's guest."""
    # It becomes part of regular expressions, and of URLs.
    if not _INSTANCE.fullmatch(instance):
        raise errors.Invalid(why=f"{instance!r} is no instance id")
    return f"{PREFIX}{instance}"


def instance_of(user: object) -> str | None:
    """The instance whose guest ``user`` is; None if it is no guest's."""
    if not isinstance(user, str) or not user.startswith(PREFIX):
        return None
    instance = user.removeprefix(PREFIX)
    return instance if _INSTANCE.fullmatch(instance) else None


def permissions(instance: str) -> dict[str, str]:
    """What a guest may configure, write and read."""
    user = user_of(instance)
    own = (
        rf"guestagent\.{instance}(\.{instance}|_fanout(_{user}:{PROCESS}:[0-9]+)?)?"
        rf"|reply_{user}:{PROCESS}:[0-9]+"
    )
    shared = f"^({EXCHANGE}|{REPLY_EXCHANGE}|{own})$"
    return {"configure": f"^({own})$", "write": shared, "read": shared}


def topic_permissions(instance: str) -> list[dict[str, str]]:
    """The routing keys a guest may send to, and bind its queues by."""
    return [
        {
            "exchange": EXCHANGE,
            "write": "^trove-conductor$",
            "read": rf"^guestagent\.{instance}(\.{instance})?$",
        },
        {
            "exchange": REPLY_EXCHANGE,
            "write": "^reply_.*$",
            "read": f"^reply_{user_of(instance)}:{PROCESS}:[0-9]+$",
        },
    ]


class Broker:
    """The management API of one virtual host, as a user with the tag administrator."""

    def __init__(
        self, url: str, user: str, password: str, vhost: str, ca: str | None = None
    ) -> None:
        self._url = url.rstrip("/") + "/api/"
        self._vhost = vhost
        self._user = user
        self._session = requests.Session()
        self._session.auth = (user, password)
        # Not the environment's: neither a proxy nor ~/.netrc has a say in this.
        self._session.trust_env = False
        self._session.verify = ca or True

    # -- guests

    def add_guest(self, instance: str, password: str) -> None:
        """The guest's user, with all that it may do and no more."""
        user = user_of(instance)
        # Without permissions at first: a user is never there with more than its own.
        self._put(("users", user), {"password": password, "tags": ""})
        for limit, value in LIMITS.items():
            self._put(("user-limits", user, limit), {"value": value})
        for topic in topic_permissions(instance):
            self._put(("topic-permissions", self._vhost, user), topic)
        self._put(("permissions", self._vhost, user), permissions(instance))

    def set_hash(self, instance: str, password_hash: str) -> None:
        """From now on only the password of this hash is good; connections stay.

        ``errors.NotFound`` if the guest has no user: one that was removed must not
        come back because of a message that was late.
        """
        user = user_of(instance)
        if self._ask("GET", ("users", user)) is None:
            raise errors.NotFound(what="Broker user", id=user)
        self._put(
            ("users", user),
            {"password_hash": password_hash, "hashing_algorithm": _HASHING, "tags": ""},
        )

    def remove_guest(self, instance: str) -> None:
        """The user with its live connections, then the queues it leaves behind."""
        user = user_of(instance)
        # The broker closes its connections itself, at once.
        self._ask("DELETE", ("users", user))
        for name in self._consumers(instance):
            self.remove_queue(name)

    def shut_out(self, instance: str) -> bool:
        """The guest's connections are closed, and it gets no other; its user stays.

        False if it has no user. The limit is the record of it: whichever process asks
        the broker next knows, and ``let_in`` is the end of it.
        """
        user = user_of(instance)
        if self._ask("GET", ("users", user)) is None:
            return False
        self._put(("user-limits", user, "max-connections"), {"value": 0})
        # One by one: 3.10 answers 500 to a DELETE of them all.
        for line in self._ask("GET", ("connections", "username", user)) or []:
            self._ask("DELETE", ("connections", line["name"]))
        return True

    def let_in(self, instance: str) -> None:
        """It may connect again; nothing to do if its user is gone."""
        user = user_of(instance)
        if self._ask("GET", ("users", user)) is not None:
            name = "max-connections"
            self._put(("user-limits", user, name), {"value": LIMITS[name]})

    def shut_out_now(self) -> list[str]:
        """Instances whose guests are let in no more."""
        rows = self._ask("GET", ("user-limits",)) or []
        found = (
            instance_of(row.get("user"))
            for row in rows
            if (row.get("value") or {}).get("max-connections") == 0
        )
        return sorted(instance for instance in found if instance)

    def guests(self) -> list[str]:
        """Instances whose guests have a user."""
        users = self._ask("GET", ("users",), params={"columns": "name"}) or []
        found = (instance_of(user.get("name")) for user in users)
        return sorted(instance for instance in found if instance)

    def leaderless(self, instance: str) -> list[str]:
        """The guest's queues of which the broker has nothing to tell: nobody leads."""
        return [
            name for name, state in self._consumers(instance).items() if state is None
        ]

    def remove_queue(self, name: str) -> None:
        """With what it holds; one of these holds nothing that anybody could read."""
        self._ask("DELETE", ("queues", self._vhost, name))

    def _consumers(self, instance: str) -> dict[str, int | None]:
        """The guest's queues; None for one that the broker has no statistics of.

        Not ``state``: asked for that alone, it tells of what was declared.
        """
        pattern = permissions(instance)["configure"]
        found = self._ask(
            "GET",
            ("queues", self._vhost),
            params={
                "columns": "name,consumers",
                "name": instance,
                "page": 1,
                "page_size": 100,
                "use_regex": "false",
            },
        )
        return {
            queue["name"]: queue.get("consumers")
            for queue in (found or {}).get("items", [])
            if re.match(pattern, queue["name"])
        }

    # -- the virtual host

    def prepare_vhost(self, control_user: str) -> None:
        """The virtual host, before any guest is let in: exchanges, policies.

        The control plane's user may do anything there. Guests may not declare the
        exchanges, so they must be there first.
        """
        for path, wanted in self._furniture(control_user):
            self._put(path, wanted)

    def vhost_lacks(self, control_user: str) -> list[str]:
        """What ``prepare_vhost`` would make or change, a line each; reads only.

        ``errors.Upstream`` when the control plane's user is not there: whoever runs the
        broker makes it, and knows its password.
        """
        if self._ask("GET", ("users", control_user)) is None:
            raise errors.Upstream(why=f"the broker has no user {control_user}")
        lacks = []
        for path, wanted in self._furniture(control_user):
            found = self._ask("GET", path)
            if found is None:
                lacks.append(f"{' '.join(path)}: missing")
                continue
            lacks += [
                f"{' '.join(path)}: {key} is {found.get(key)!r}, not {value!r}"
                for key, value in wanted.items()
                if found.get(key) != value
            ]
        return lacks

    def _furniture(
        self, control_user: str
    ) -> Iterator[tuple[tuple[str, ...], dict[str, typing.Any]]]:
        """What is in the virtual host before any guest is, in order of its making."""
        yield ("vhosts", self._vhost), {}
        anything = {"configure": ".*", "write": ".*", "read": ".*"}
        for name in (self._user, control_user):
            yield ("permissions", self._vhost, name), anything
        for exchange in (EXCHANGE, REPLY_EXCHANGE):
            yield (
                ("exchanges", self._vhost, exchange),
                {"type": "topic", "durable": True, "auto_delete": False},
            )
        for name, policy in POLICIES.items():
            yield (
                ("policies", self._vhost, name),
                policy | {"apply-to": "queues", "priority": 1},
            )

    def alive(self) -> bool:
        """Does the broker answer, and know us?"""
        try:
            return self._ask("GET", ("whoami",)) is not None
        except errors.TroveError:
            return False

    # -- HTTP

    def _put(self, path: tuple[str, ...], body: dict[str, typing.Any]) -> None:
        if self._ask("PUT", path, json=body) is None:
            raise errors.Upstream(why=f"the broker knows no {path[0]} there")

    def _ask(
        self, verb: str, path: tuple[str, ...], **settings: typing.Any
    ) -> typing.Any:
        """The answer; None when there is no such thing."""
        url = self._url + "/".join(urllib.parse.quote(part, safe="") for part in path)
        try:
            answer = self._session.request(
                verb, url, timeout=TIMEOUT, allow_redirects=False, **settings
            )
            if answer.status_code == 404:
                return None
            body = answer.json() if answer.content else {}
        except (requests.RequestException, ValueError) as error:
            # Its text may hold the URL, never the password: that is in a header.
            raise errors.Unavailable(what="The message broker") from error
        if answer.status_code >= 500 or answer.status_code == 429:
            raise errors.Unavailable(what="The message broker")
        if answer.status_code >= 300:
            reason = body.get("reason") if isinstance(body, dict) else None
            raise errors.Upstream(
                why=f"the broker refused to {verb} {path[0]}: "
                f"{answer.status_code} {reason or ''}".strip()
            )
        return body
