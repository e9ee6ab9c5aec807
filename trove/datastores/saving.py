# SPDX-License-Identifier: Apache-2.0
"""How an engine saves all its data, and has them back."""

import dataclasses
import typing

from trove import errors

if typing.TYPE_CHECKING:
    from trove.datastores.protocol import Stage
    from trove.datastores.rows import RowHashes


class NoIncrement(errors.EngineFailed):
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
        """What says all the data, or what has changed since that mark; ``NoIncrement``
        if it is found, before any of it is said, that it cannot."""

    def mark(self, work: str) -> Mark:
        """Where those that ended well have ended."""

    def taking(self, work: str, number: int) -> "tuple[Stage, ...]":
        """What takes a link as it was said, into ``work``; those before were taken.

        An engine that plays its increments may do so with the one before, so that no
        more than one is on the volume: it is configured then, and stopped.
        """

    def together(self, work: str, links: int) -> None:
        """The links that were taken are the data directory, which ``taking`` may have
        made of those before; the engine is stopped. What is in them is checked as far
        as the tool does, and is all that was said."""

    def settle(self) -> None:
        """Before the volume is frozen for a snapshot: what the engine can bring to the
        disk now it need not recover later. ``errors.EngineFailed``: something that it
        serves would not be whole after a power cut."""

    def taken_over(self) -> None:
        """The data directory was another server's, as a power cut leaves it: what was
        that server's alone is gone. The engine was not started."""

    def check(self) -> None:
        """Reads all that the engine serves, by its own tool, for hours; what that needs
        it may add. ``errors.EngineFailed``: something is not as it must be.
        """

    def rows(self) -> "RowHashes":
        """How its rows are hashed, the same each time; ``errors.NotSupported``: it has
        no such thing."""
