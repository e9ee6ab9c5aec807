# SPDX-License-Identifier: Apache-2.0
"""How an engine saves all its data, and has them back."""

import dataclasses
import typing

from trove import errors

if typing.TYPE_CHECKING:
    from trove.datastores.protocol import Stage


class NoGround(errors.Conflict):
    """The engine cannot say what has changed since that mark, whoever asks."""

    sentence = (
        "There is no increment of the backup that it would stand on: {why}. The next "
        "one must be full."
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """Where a backup ends, in the engine's own words: an increment of it begins there.

    ``size``: bytes that the data take on a volume.
    """

    words: dict[str, str]
    size: int


class Backups(typing.Protocol):
    """How an engine's data are brought out while it serves, and come in again.

    ``work`` is a directory of the caller's, empty at first, that the engine's user may
    enter: small for a backup, on the data's volume for a restore. Links of a chain have
    numbers, the full one 0.
    """

    def stages(self, work: str, since: Mark | None = None) -> "tuple[Stage, ...]":
        """What says all the data, or what has changed since that mark; ``NoGround`` if
        it is found, before any of it is said, that it cannot."""

    def mark(self, work: str) -> Mark:
        """Where those that ended well have ended."""

    def taking(self, work: str, number: int) -> "tuple[Stage, ...]":
        """What takes a link as it was said, into ``work``."""

    def together(self, work: str, links: int) -> None:
        """The links that were taken are the data directory, which there is none of yet;
        the engine is stopped. What is in them is checked as far as the tool does."""

    def check(self) -> None:
        """Reads all that the engine serves, by its own tool, for hours; what that needs
        it may add. ``errors.EngineFailed``: something is not as it must be.
        """
