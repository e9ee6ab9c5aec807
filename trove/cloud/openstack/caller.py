# SPDX-License-Identifier: Apache-2.0
"""Neutron as a caller's own token shows it.

The service sees more than any user: its own management network, and every network that
somebody shared with it. So whether a user may name a network is asked with his token,
at the address of his own catalogue.
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
"""A token that has just ended shows nothing either."""


class Caller:
    """One caller, for one request."""

    def __init__(self, address: str, token: str, verify: bool | str = True) -> None:
        self._base = address.rstrip("/").removesuffix(VERSION) + VERSION
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy that an operator did not name
        self._session.verify = verify
        self._session.headers["X-Auth-Token"] = token

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
        try:
            said = self._session.get(
                f"{self._base}/{noun}s/{where}", timeout=TIMEOUT, allow_redirects=False
            )
        except (requests.RequestException, OSError) as error:
            raise errors.Unavailable(what="The network service") from error
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
