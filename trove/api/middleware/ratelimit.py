# SPDX-License-Identifier: Apache-2.0
"""Rate limits: so many requests a minute, for each project and verb, in this process.

A bucket of tokens for each (project, limit): it holds a minute's worth, and fills at an
even rate. The number of buckets is bounded; the one that was not asked for the longest
is dropped, which can only be kind to its project.
"""

import collections
import dataclasses
import datetime
import math
import re
import threading
import time
import typing
from collections.abc import Callable, Sequence

import webob
import webob.dec

from trove import errors
from trove.api import paths
from trove.api.links import VERSION
from trove.api.router import RATES

MINUTE = 60.0
MOST_BUCKETS = 20_000


@dataclasses.dataclass(frozen=True, slots=True)
class Limit:
    """``value`` requests a minute of one verb, on the paths that the pattern finds."""

    verb: str
    uri: str
    regex: str
    value: int

    def covers(self, verb: str, path: str) -> bool:
        """Whether a request counts here; the path begins below the project."""
        return verb == self.verb and re.match(self.regex, path) is not None


def limits(post: int, put: int, delete: int, get: int, mgmt_post: int) -> list[Limit]:
    """The limits, in the order in which clients are shown them; 0 is none."""
    every = [
        Limit("POST", "*", ".*", post),
        Limit("PUT", "*", ".*", put),
        Limit("DELETE", "*", ".*", delete),
        Limit("GET", "*", ".*", get),
        Limit("POST", "*/mgmt", "^/mgmt", mgmt_post),
    ]
    return [limit for limit in every if limit.value]


class Buckets:
    """What is left of every project's limits."""

    def __init__(
        self,
        limits: Sequence[Limit],
        clock: Callable[[], float] = time.monotonic,
        most: int = MOST_BUCKETS,
    ) -> None:
        self.limits = tuple(limits)
        self._clock = clock
        self._most = most
        self._lock = threading.Lock()
        self._left: collections.OrderedDict[tuple[str, Limit], tuple[float, float]]
        self._left = collections.OrderedDict()

    def take(self, project: str, verb: str, path: str) -> tuple[Limit, float] | None:
        """None, or the limit that is reached and the seconds until one more may be."""
        wanted = [limit for limit in self.limits if limit.covers(verb, path)]
        with self._lock:
            left = {limit: self._now(project, limit) for limit in wanted}
            for limit, tokens in left.items():
                if tokens < 1:
                    return limit, (1 - tokens) * MINUTE / limit.value
            for limit, tokens in left.items():
                self._put(project, limit, tokens - 1)
        return None

    def left(self, project: str) -> list[tuple[Limit, int, float]]:
        """Each limit, what is left of it, and the seconds until there is one more."""
        with self._lock:
            tokens = [(limit, self._now(project, limit)) for limit in self.limits]
        return [
            (limit, int(left), max(0.0, (1 - left) * MINUTE / limit.value))
            for limit, left in tokens
        ]

    def _now(self, project: str, limit: Limit) -> float:
        full = float(limit.value)
        tokens, at = self._left.get((project, limit), (full, self._clock()))
        return min(full, tokens + (self._clock() - at) * full / MINUTE)

    def _put(self, project: str, limit: Limit, tokens: float) -> None:
        self._left[project, limit] = (tokens, self._clock())
        self._left.move_to_end((project, limit))
        while len(self._left) > self._most:
            self._left.popitem(last=False)


class RateLimit:
    """Answers 413 when a project asks too often."""

    def __init__(
        self,
        application: typing.Any,
        buckets: Buckets,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.application = application
        self._buckets = buckets
        self._wall = wall

    @webob.dec.wsgify
    def __call__(self, request: webob.Request) -> typing.Any:
        project = request.environ.get("HTTP_X_PROJECT_ID") or ""
        segments = paths.segments(request.environ)
        below = "/" + "/".join(segments[2:]) if segments[:1] == [VERSION] else "/"
        verb = "GET" if request.method == "HEAD" else request.method
        reached = self._buckets.take(project, verb, below)
        if reached is not None:
            limit, wait = reached
            raise errors.RateLimited(
                retry_after=math.ceil(wait),
                details=f"Only {limit.value} {limit.verb} request(s) can be made to "
                f"{limit.uri} every minute.",
            )
        request.environ[RATES] = lambda: self._shown(project)
        return self.application

    def _shown(self, project: str) -> list[dict[str, typing.Any]]:
        return [
            {
                "verb": limit.verb,
                "uri": limit.uri,
                "regex": limit.regex,
                "value": limit.value,
                "unit": "MINUTE",
                "remaining": left,
                "nextAvailable": _moment(self._wall() + wait),
            }
            for limit, left, wait in self._buckets.left(project)
        ]


def _moment(seconds: float) -> str:
    """The one date of this API that ends in Z."""
    at = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
