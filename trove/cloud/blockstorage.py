# SPDX-License-Identifier: Apache-2.0
"""Block storage, as a cloud must offer it: a part of ``protocol``."""

import dataclasses
import typing


@dataclasses.dataclass(frozen=True, slots=True)
class Volume:
    """A block device. ``size`` in GiB.

    ``status`` is one of: creating, available, in-use, extending, error, deleting.
    """

    id: str
    key: str | None
    status: str
    size: int
    type: str | None = None
    servers: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """What was on a volume at a moment. ``size`` is that volume's, in GiB.

    ``status`` is one of: creating, available, error, deleting. Its moment is between
    the order and the time at which it is available.
    """

    id: str
    key: str | None
    status: str
    size: int
    volume: str


@dataclasses.dataclass(frozen=True, slots=True)
class VolumeType:
    """A kind of volume."""

    id: str
    name: str
    is_public: bool = True
    description: str | None = None


class Volumes(typing.Protocol):
    """Block storage (Cinder)."""

    def types(self) -> list[VolumeType]: ...

    def find(self, key: str) -> list[Volume]: ...

    def owned(self) -> list[Volume]: ...

    def create(
        self, key: str, size: int, type: str | None = None, snapshot: str | None = None
    ) -> Volume:
        """An empty one, or one with what is in a snapshot; not smaller than that."""

    def show(self, id: str) -> Volume | None: ...

    def delete(self, id: str) -> None:
        """``CloudConflict`` for one that there are snapshots of."""

    @property
    def grow_in_use(self) -> bool:
        """Whether one that a server has can be extended."""

    def extend(self, id: str, size: int) -> None: ...

    def retain(self, id: str, why: str) -> None:
        """Marks a volume as kept on purpose, and whose it was."""

    def resume(self, id: str) -> None:
        """Takes that mark away: it is an instance's again. One without is left so."""


class Snapshots(typing.Protocol):
    """Snapshots of volumes (Cinder)."""

    def find(self, key: str) -> list[Snapshot]: ...

    def owned(self) -> list[Snapshot]: ...

    def create(self, key: str, volume: str) -> Snapshot:
        """Orders one of a volume, which a server may have."""

    def show(self, id: str) -> Snapshot | None: ...

    def delete(self, id: str) -> None: ...
