# SPDX-License-Identifier: Apache-2.0
"""What users of Valkey may do, and the lines of the access list that say so.

Only hashes are in it: SHA-256 in hexadecimal, which is the engine's own documented
form, made here so that the server never sees a password.
"""

import hashlib
import re
import typing

from trove import errors
from trove.datastores.valkey.agent.wire import ADMIN
from trove.datastores.valkey.spec import NAMING

ROOT = "root"
"""The user that a tenant may ask for."""

BEAT = "\x01"
"""The agent's key, one character, in the database after those that tenants know."""

KEYS = ("%R~*", "~", f"~[^{BEAT}]*", f"~{BEAT}?*")
"""To read everything, as SORT asks by its patterns, and to write everything but the
agent's key: the empty one, those that begin otherwise, and those that are longer."""

TENANT = (
    *KEYS,
    "&*",
    "+@all",
    # What manages the server, shows what others do, or moves data to another server.
    "-@admin",
    "-@dangerous",
    # Of what the engine calls dangerous: it is only slow, and they are their data.
    "+flushall",
    "+flushdb",
    "+keys",
    "+sort",
    "+sort_ro",
    # Clients ask these at each connection.
    "+info",
    "+role",
    # Each payload is checked through and through (sanitize-dump-payload).
    "+restore",
    # What is left of these tells of other users and of the server.
    "-acl",
    "-cluster",
    "-config",
    "-module",
)

OVERSEER = (*TENANT, "+client|list", "+commandlog", "+latency", "+slowlog")
"""A tenant who also sees what the others are slow with."""

EVERYTHING = ("~*", "&*", "+@all")


HASH = re.compile("#[0-9a-f]{64}")


def hashed(password: str) -> str:
    """A password as a rule of the access list."""
    return "#" + hashlib.sha256(password.encode()).hexdigest()


def rules(name: str, hashes: typing.Iterable[str]) -> tuple[str, ...]:
    """All that is said of one user, and nothing of what was said before."""
    rights = {ROOT: OVERSEER, ADMIN: EVERYTHING}.get(name, TENANT)
    return ("reset", "on", *hashes, *rights)


def listed(secret: str, before: str = "") -> str:
    """The access list: nobody, the agent, and the users of a list that was there.

    Of those the names and the hashes count: what each may do is said anew.
    """
    users = {ADMIN: [hashed(secret)]}
    for line in before.split("\n"):
        match line.strip().split(" "):
            case ["user", name, *said] if name == ROOT or _legal(name):
                users[name] = [word for word in said if HASH.fullmatch(word)]
    lines = [["user", "default", "reset", "off"]]
    lines += [["user", name, *rules(name, users[name])] for name in sorted(users)]
    return "".join(" ".join(words) + "\n" for words in lines)


def _legal(name: str) -> bool:
    try:
        NAMING.check_user(name)
    except errors.Invalid:
        return False
    return True
