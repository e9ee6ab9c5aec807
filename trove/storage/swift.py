# SPDX-License-Identifier: Apache-2.0
"""Swift, as far as a project's own containers are used: with the caller's own token.

What a guest is to bring there it brings by a signed URL: the key of that signature is
the container's, made once and seen by its owner only (Swift shows it to nobody else).
"""

import typing
import urllib.parse

from trove.storage import account
from trove.storage.lent import Place


class Swift:
    """One account. ``endpoint`` ends with the account's name (``/v1/AUTH_...``)."""

    def __init__(
        self, endpoint: str, token: str, verify: bool | str = True, guests: str = ""
    ) -> None:
        self._account = account.Account(
            endpoint, account.given(token), verify, "the object store of this project"
        )
        self._guests = guests

    def close(self) -> None:
        """Ends the connections."""
        self._account.close()

    def ensure(self, container: str) -> str:
        """The container is there; the key that URLs below it are signed with."""
        return self._account.key(container)

    def signed(
        self, container: str, prefix: str, key: str, seconds: int
    ) -> tuple[str, str]:
        """The URL of a prefix that guests may write below, and the query it needs."""
        base, path = self._account.address(self._guests)
        what = f"prefix:{path}/{container}/{prefix}"
        query = account.signature(key, "PUT", what, seconds)
        return f"{base}/{container}/{prefix}", urllib.parse.urlencode(
            {**query, "temp_url_prefix": prefix}
        )

    def delete(self, container: str, prefixes: typing.Iterable[str]) -> None:
        """All that begins with one of these; nothing there is fine."""
        self._account.delete(container, prefixes)

    def lend(self, container: str) -> Place:
        """The container is there, and the key is what it is lent by."""
        key = self._account.key(container)
        return Place(self._account.endpoint, container, key, self._guests)

    def holds(self, container: str, prefix: str) -> bool:
        """Whether anything that is not empty begins with this."""
        return any(one.size for one in self._account.listed(container, prefix))

    def size(self, container: str, name: str) -> int | None:
        """The bytes of an object, whatever it is made of."""
        path = account.below(container, name)
        said = self._account.ask("HEAD", path, ok=(200, 404))
        return None if said.status_code == 404 else int(said.headers["Content-Length"])

    def link(self, container: str, name: str, prefix: str) -> None:
        """A dynamic large object: nothing itself, it names what it is of."""
        headers = {
            "X-Object-Manifest": urllib.parse.quote(f"{container}/{prefix}"),
            "Content-Type": "application/octet-stream",
        }
        path = account.below(container, name)
        self._account.ask("PUT", path, headers=headers, ok=(201,))
