# SPDX-License-Identifier: Apache-2.0
"""How an engine says one database of a tenant's, for its users' own tools to read; and
how it takes what such tools have said, or what anybody made to look like it."""

import contextlib
import typing

if typing.TYPE_CHECKING:
    from trove.datastores.protocol import Stage


class Dumps(typing.Protocol):
    """What ``protocol.Engine.dumps`` answers with."""

    def saying(
        self, database: str
    ) -> "contextlib.AbstractContextManager[tuple[Stage, ...]]":
        """What says all of it, as it was at one moment, for as long as the block.

        It comes in by an account that is there meanwhile, and reads that database
        alone; ``errors.DatabaseNotFound`` if there is none of a tenant's.
        """

    def taking(
        self, database: str, begin: bytes
    ) -> "contextlib.AbstractContextManager[tuple[Stage, ...]]":
        """What takes a dump that begins so, into a database that is there and empty.

        It comes in by an account that may do what tenants may in that database, and
        nothing else: what is in the dump was made by anybody. What it made stays when
        the block is left, and nobody comes in by that account any more.
        ``errors.Invalid``: it does not take what begins so.
        """

    def forget(self, database: str | None = None) -> None:
        """Of a process that died in the midst of either nothing stays that anybody
        could come in by; ``database``: into which it was taking."""
