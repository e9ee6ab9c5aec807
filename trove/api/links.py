# SPDX-License-Identifier: Apache-2.0
"""Links: where a thing is found, as the caller reaches us."""

import dataclasses
import urllib.parse
from collections.abc import Mapping

VERSION = "v1.0"

QUOTED = "marker_quoted"
"""The parameter of our own links that says that their marker is quoted once more."""


@dataclasses.dataclass(frozen=True, slots=True)
class Links:
    """``base`` is scheme, host and port, without a slash at its end."""

    base: str
    tenant: str = ""
    path: str = ""
    """The path of the request, below the tenant, as it is quoted."""

    def of(self, kind: str, id: str) -> list[dict[str, str]]:
        """The two links of a thing: with version and project, and without."""
        quoted = urllib.parse.quote(id, safe="")
        return [
            {"rel": "self", "href": f"{self._home()}/{kind}/{quoted}"},
            {"rel": "bookmark", "href": f"{self.base}/{kind}/{quoted}"},
        ]

    def next(self, query: Mapping[str, str], marker: str) -> list[dict[str, str]]:
        """The link to the page after this one; other parameters are kept.

        The marker is quoted twice: clients take it out of the link with one decoding
        and send it back as it is. Whoever follows the link brings it quoted, and
        says so by ``QUOTED``: of a name like ``100%25`` nobody could tell.
        """
        ours = ("marker", QUOTED)
        again = {name: value for name, value in query.items() if name not in ours}
        again["marker"] = urllib.parse.quote(marker, safe="")
        if again["marker"] != marker:
            again[QUOTED] = "1"
        encoded = urllib.parse.urlencode(again)
        return [{"rel": "next", "href": f"{self._home()}/{self.path}?{encoded}"}]

    def _home(self) -> str:
        return f"{self.base}/{VERSION}/{urllib.parse.quote(self.tenant, safe='')}"
