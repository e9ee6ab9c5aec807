# SPDX-License-Identifier: Apache-2.0
"""How an engine says one database of a tenant's, for its users' own tools to read."""

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
