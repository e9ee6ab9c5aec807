# SPDX-License-Identifier: Apache-2.0
"""Bringing bytes to an object store, by a URL that is signed for a while.

The guest has no token: what it holds is good for one prefix, for writing, for minutes.
"""

import dataclasses
import urllib.parse

from trove import errors
from trove.storage.vault import carry

TIMEOUT = 10.0
"""Seconds for a connection, and for each answer."""
KEPT = 30 * 24 * 3600
"""Seconds after which the store lets a piece of a log go."""


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """A prefix of objects: its URL, and the signature that is good below it."""

    url: str
    query: str = dataclasses.field(repr=False)
    authorities: str = dataclasses.field(default="", repr=False)
    """CA certificates that the store may have beside those of the image."""


def put(target: Target, name: str, data: bytes) -> None:
    """One object; raises ``errors.Upstream`` unless the store says that it has it."""
    there = urllib.parse.urlsplit(target.url + urllib.parse.quote(name))
    import http.client  # only here: it stays out of an agent that publishes nothing

    if there.scheme not in ("http", "https") or not there.hostname:
        raise errors.Invalid(why="that is no address of an object store")
    connection: http.client.HTTPConnection
    if there.scheme == "http":
        connection = http.client.HTTPConnection(
            there.hostname, there.port, timeout=TIMEOUT
        )
    else:
        context = carry.believing(target.authorities)
        connection = http.client.HTTPSConnection(
            there.hostname, there.port, timeout=TIMEOUT, context=context
        )
    try:
        connection.request(
            "PUT",
            f"{there.path}?{target.query}",
            body=data,
            headers={
                "Content-Type": "text/plain; charset=utf-8",
                "X-Object-Meta-Lines": str(data.count(b"\n")),
                "X-Delete-After": str(KEPT),
            },
        )
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise errors.Upstream(
            why=f"the object store at {there.hostname} does not answer "
            f"({type(error).__name__})"
        ) from None
    finally:
        connection.close()
    if status != 201:
        raise errors.Upstream(why=f"the object store answered {status}")
