# SPDX-License-Identifier: Apache-2.0
"""A container of a user's own, and URLs that are good for its objects."""

import secrets
import typing
import urllib.parse

from tests.bench.piped import OBJECT
from tests.system.deployment import Deployment, User
from trove.storage import account

NAME = "upstream"
SECONDS = 4 * 3600


class Store:
    """It is there as long as this is entered."""

    def __init__(self, deployment: Deployment, user: User) -> None:
        place = deployment.place
        where = f"http://{place.host_address}:{place.object_port}"
        project = user.api.get_project_id()
        self._account = account.Account(
            f"{where}/v1/AUTH_{project}",
            lambda *, fresh: str(user.api.get_token()),
            False,
            "the bench's store",
        )
        self._key = secrets.token_urlsafe(16)

    def __enter__(self) -> typing.Self:
        headers = {account.KEY: self._key}
        self._account.ask("PUT", NAME, headers=headers, ok=(201, 202))
        return self

    def __exit__(self, *exception: object) -> None:
        self.empty()
        self._account.ask("DELETE", NAME, ok=(204, 404))
        self._account.close()

    def empty(self) -> None:
        """There is no object in it."""
        self._account.delete(NAME, [""])

    def writes(self, gib: float) -> list[str]:
        """As many as a stream of so much can need."""
        return self._signed("PUT", 4 + int(2 * gib * (1 << 30)) // OBJECT)

    def reads(self, count: int) -> list[str]:
        """The first ones, in their order."""
        return self._signed("GET", count)

    def _signed(self, verb: str, count: int) -> list[str]:
        base, path = self._account.address("")
        found = []
        for number in range(count):
            name = f"{NAME}/{number:06}"
            query = account.signature(self._key, verb, f"{path}/{name}", SECONDS)
            found.append(f"{base}/{name}?{urllib.parse.urlencode(query)}")
        return found
