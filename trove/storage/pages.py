# SPDX-License-Identifier: Apache-2.0
"""Lists that a store hands out page after page, each object once."""

import typing

from trove import errors
from trove.storage.vault.protocol import Stored


def through(page: typing.Callable[[str], list[Stored]]) -> typing.Iterator[Stored]:
    """All pages; ``page`` is what comes after a name ("" for the first one).

    A list that lags still shows what is gone: that is no reason to begin again. One
    that does not go forward would have no end.
    """
    after = ""
    while rows := page(after):
        for row in rows:
            if row.name <= after:
                raise errors.Upstream(why="the object store's list has no end")
            after = row.name
            yield row
