# SPDX-License-Identifier: Apache-2.0
"""A limit for each address on requests without a valid token, in front of Keystone.

A request that ends in 401 is counted against where it came from. When there were too
many, nothing from there is looked at, nor is Keystone asked, until one more may be: a
flood costs Keystone the rate and no more. Requests with a good token are not counted.

The address is the connection's, or what oslo.middleware's HTTPProxyToWSGI put in its
place: it believes a proxy's headers only where the operator says so.
"""

import ipaddress
import math
import typing

import webob
import webob.dec

from trove import errors
from trove.api import faults
from trove.api.middleware.ratelimit import Buckets, Limit

ANY = "ANY"
PREFIX = 64
"""Of IPv6 a network is one source: whoever has one address of it has all."""


def limit(rate: int) -> list[Limit]:
    """So many a minute; 0 is none."""
    return [Limit(ANY, "*", ".*", rate)] if rate else []


def source(address: str) -> str:
    """Who is counted: short, and one spelling for each.

    Of several addresses (``X-Forwarded-For``) the last is the nearest proxy's own word;
    those before it a client may have made up.
    """
    last = address.rpartition(",")[2].strip().strip('"')
    bare = last[1:].partition("]")[0] if last.startswith("[") else last
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]  # with a port
    try:
        found = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return "?"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, PREFIX), strict=False).network_address)


class SourceLimit:
    """Answers 413 where too many requests without a token have come from."""

    def __init__(self, application: typing.Any, buckets: Buckets) -> None:
        self.application = application
        self._buckets = buckets

    @webob.dec.wsgify
    def __call__(self, request: webob.Request) -> typing.Any:
        address = request.environ.get("REMOTE_ADDR")
        if not self._buckets.limits or not address:  # a socket in the file system
            return self.application
        who = source(address)
        ((wanted, left, wait),) = self._buckets.left(who)
        if left < 1:
            raise errors.RateLimited(
                retry_after=math.ceil(wait),
                details=f"Only {wanted.value} request(s) without a valid token can be "
                "made from one address every minute.",
            )
        try:
            response = request.get_response(self.application)
        except faults.Unauthorized:
            self._buckets.take(who, ANY, "/")
            raise
        if response.status_int == 401:
            self._buckets.take(who, ANY, "/")
        return response
