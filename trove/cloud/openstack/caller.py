# SPDX-License-Identifier: Apache-2.0
"""Neutron as a caller's own token shows it.

The service sees more than any user: its own management network, and every network that
somebody shared with it. So whether a user may name a network is asked with his token,
at the address of his own catalogue. The service's token goes with it: a token that ends
between the API and Neutron is taken then (keystonemiddleware, "service tokens").
"""

import typing
import urllib.parse

import requests

from trove import errors
from trove.cloud.openstack import faults
from trove.cloud.protocol import Refused

TIMEOUT = (5.0, 15.0)
"""Seconds to wait for a connection, and for the next bytes."""
VERSION = "/v2.0"
ABSENT = (401, 403, 404)
"""A token that has ended shows nothing either."""


class ServiceToken(typing.Protocol):
    """The service's own token; ``fresh``: another one, for that was refused."""

    def __call__(self, *, fresh: bool) -> str: ...


class Caller:
    """One caller, for one request."""

    def __init__(
        self, address: str, token: str, verify: bool | str, service: ServiceToken
    ) -> None:
        self._base = address.rstrip("/").removesuffix(VERSION) + VERSION
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy that an operator did not name
        self._session.verify = verify
        self._session.headers["X-Auth-Token"] = token
        self._service = service

    def network(self, id: str) -> bool:
        """Whether there is such a network for him."""
        return self._seen("network", id) is not None

    def subnet(self, id: str) -> str | None:
        """The network that a subnet is of; None if there is none for him."""
        found = self._seen("subnet", id)
        return None if found is None else str(found.get("network_id"))

    def port(self, id: str) -> bool:
        """Whether there is such a port for him."""
        return self._seen("port", id) is not None

    def close(self) -> None:
        """Ends the connections."""
        self._session.close()

    def _seen(self, noun: str, id: str) -> dict[str, typing.Any] | None:
        try:
            where = urllib.parse.quote(faults.plain(id), safe="")
        except Refused:
            return None
        said = self._asked(f"{self._base}/{noun}s/{where}", fresh=False)
        if said.status_code == 401:  # whose token has ended, it does not say
            said = self._asked(said.url, fresh=True)
        if said.status_code in ABSENT:
            return None
        if said.status_code != 200:
            raise errors.Upstream(
                why=f"the network service answered {said.status_code}"
            )
        try:
            return dict(said.json()[noun])
        except (ValueError, KeyError, TypeError):
            raise errors.Upstream(why="the network service's answer is none") from None

    def _asked(self, url: str, fresh: bool) -> requests.Response:
        headers = {"X-Service-Token": self._service(fresh=fresh)}
        try:
            return self._session.get(
                url, headers=headers, timeout=TIMEOUT, allow_redirects=False
            )
        except (requests.RequestException, OSError) as error:
            raise errors.Unavailable(what="The network service") from error
