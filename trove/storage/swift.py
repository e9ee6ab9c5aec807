# SPDX-License-Identifier: Apache-2.0
"""Swift, as far as a project's own containers are used: with the caller's own token.

What a guest is to bring there it brings by a signed URL: the key of that signature is
the container's, made once and seen by its owner only (Swift shows it to nobody else).
"""

import hmac
import secrets
import time
import typing
import urllib.parse

import requests

from trove import errors

TIMEOUT = (5.0, 20.0)
"""Seconds to wait for a connection, and for the next bytes."""
KEY = "X-Container-Meta-Temp-URL-Key"
PAGE = 1000


class Swift:
    """One account. ``endpoint`` ends with the account's name (``/v1/AUTH_...``)."""

    def __init__(
        self, endpoint: str, token: str, verify: bool | str = True, guests: str = ""
    ) -> None:
        self._endpoint, self._guests = endpoint.rstrip("/"), guests
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy that an operator did not name
        self._session.verify = verify
        self._session.headers["X-Auth-Token"] = token

    def close(self) -> None:
        """Ends the connections."""
        self._session.close()

    def ensure(self, container: str) -> str:
        """The container is there; the key that URLs below it are signed with."""
        said = self._ask("HEAD", container, ok=(200, 204, 404))
        key = said.headers.get(KEY)
        if said.status_code != 404 and key:
            return str(key)
        key = secrets.token_urlsafe(32)
        self._ask("PUT", container, headers={KEY: key}, ok=(201, 202))
        # another request may have made one meanwhile: what is there now counts
        found = self._ask("HEAD", container, ok=(200, 204)).headers.get(KEY)
        if not found:
            raise errors.Forbidden(what="sign URLs of your object store's containers")
        return str(found)

    def signed(
        self, container: str, prefix: str, key: str, seconds: int
    ) -> tuple[str, str]:
        """The URL of a prefix that guests may write below, and the query it needs."""
        whole = f"{self._endpoint}/{container}/{prefix}"
        where = urllib.parse.urlsplit(whole)
        expires = int(time.time()) + seconds
        said = f"PUT\n{expires}\nprefix:{urllib.parse.unquote(where.path)}"
        query = {
            "temp_url_sig": hmac.digest(key.encode(), said.encode(), "sha256").hex(),
            "temp_url_expires": expires,
            "temp_url_prefix": prefix,
        }
        base = self._guests or f"{where.scheme}://{where.netloc}"
        return f"{base}{where.path}", urllib.parse.urlencode(query)

    def delete(self, container: str, prefixes: typing.Iterable[str]) -> None:
        """All that begins with one of these; nothing there is fine."""
        for prefix in prefixes:
            after = ""
            # page after page, each once: a list that lags shows what is gone already
            while names := self._names(container, prefix, after):
                for name in names:
                    path = f"{container}/{urllib.parse.quote(name)}"
                    self._ask("DELETE", path, ok=(200, 204, 404))
                if names[-1] <= after:
                    raise errors.Upstream(why="the object store's list has no end")
                after = names[-1]

    def _names(self, container: str, prefix: str, after: str) -> list[str]:
        said = self._ask(
            "GET",
            container,
            params={
                "prefix": prefix,
                "format": "json",
                "limit": str(PAGE),
                "marker": after,
            },
            ok=(200, 204, 404),
        )
        if said.status_code != 200:
            return []
        try:
            return [str(row["name"]) for row in said.json() if "name" in row]
        except (ValueError, TypeError):
            raise errors.Upstream(why="the object store's list is no list") from None

    def _ask(
        self, verb: str, path: str, *, ok: typing.Container[int], **about: typing.Any
    ) -> requests.Response:
        try:
            said = self._session.request(
                verb,
                f"{self._endpoint}/{path}",
                timeout=TIMEOUT,
                allow_redirects=False,
                **about,
            )
        except requests.RequestException as error:
            raise errors.Unavailable(what="The object store") from error
        if said.status_code in (401, 403):
            raise errors.Forbidden(what="use the object store of this project")
        if said.status_code not in ok:
            raise errors.Upstream(why=f"the object store answered {said.status_code}")
        return said
