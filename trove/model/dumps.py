# SPDX-License-Identifier: Apache-2.0
"""What an export and an import are told: the input of these operations, which is wiped
when they end."""

import dataclasses
import typing


@dataclasses.dataclass(frozen=True, slots=True)
class Export:
    """The dump that ``instance.export`` brings, and the container that was lent for it:
    ``storage.lent.Place``, whose key is good for that container."""

    name: str
    databases: tuple[str, ...]
    place: dict[str, str] = dataclasses.field(repr=False)

    def to_dict(self) -> dict[str, typing.Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, typing.Any]) -> "Export":
        """The reverse of ``to_dict``."""
        return cls(data["name"], tuple(data["databases"]), data["place"])


@dataclasses.dataclass(frozen=True, slots=True)
class Import:
    """The dump that ``instance.import`` loads into a database that is not there yet:
    an object of so many bytes, in a container that was lent as for an export."""

    name: str
    size: int
    database: str
    place: dict[str, str] = dataclasses.field(repr=False)

    def to_dict(self) -> dict[str, typing.Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, typing.Any]) -> "Import":
        """The reverse of ``to_dict``."""
        return cls(**data)
