# SPDX-License-Identifier: Apache-2.0
"""Paging: the limit and marker of a request, and the page that answers it."""

import dataclasses
import typing
import urllib.parse
from collections.abc import Mapping

from trove import errors
from trove.api.links import QUOTED, Links


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for: so many at the most, after this one."""

    limit: int
    marker: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """What answers it; ``next`` is the marker of the page after, if there is one."""

    items: typing.Sequence[typing.Any]
    next: str | None = None


def wanted(query: Mapping[str, str], most: int) -> Wanted:
    """Raises ``errors.Invalid`` for a limit that is no positive number."""
    limit = query.get("limit")
    if limit is None:
        return Wanted(most, marker(query))
    if not (limit.isascii() and limit.isdigit()) or len(limit) > 18 or int(limit) < 1:
        raise errors.Invalid("The limit must be a positive whole number.")
    return Wanted(min(int(limit), most), marker(query))


def marker(query: Mapping[str, str]) -> str | None:
    """The marker, as it is; decoded once more if the query says that it is quoted.

    Links carry it quoted twice and say so, so a client that follows a link and one that
    takes the marker out of it both arrive here, whatever characters the marker has.
    """
    given = query.get("marker")
    if given and query.get(QUOTED) == "1":
        try:
            return urllib.parse.unquote(given, errors="strict")
        except UnicodeDecodeError:
            raise errors.Invalid("The marker cannot be read.") from None
    return given or None


def links(
    where: Links, query: Mapping[str, str], page: Page, plural: str
) -> dict[str, typing.Any]:
    """The sibling keys of a page that is not the last: ``links``, under both names."""
    if page.next is None:
        return {}
    following = where.next(query, page.next)
    return {"links": following, f"{plural}_links": following}
