# SPDX-License-Identifier: Apache-2.0
"""The kinds of operation, and the input of each: typed, and plain JSON when stored.

``actions`` opens an operation of a kind; ``flows`` says what the kind is. The input is
sealed at rest and wiped when the operation ends, so a password may be in it.
"""

import dataclasses
import secrets
import typing

INSTANCE = "instance"
MODULE = "module"
BACKUP = "backup"
"""The types of object that the kinds below are about: theirs is in their name, but a
backup is made by its instance."""

CREATE = "instance.create"
DELETE = "instance.delete"
RESTART = "instance.restart"
REBOOT = "instance.reboot"
STOP = "instance.stop"
CONFIGURE = "instance.configure"
RESIZE_VOLUME = "instance.resize_volume"
RESIZE_OFFLINE = "instance.resize_volume_offline"
RESIZE_FLAVOR = "instance.resize_flavor"
ACCESS = "instance.access"
SSL = "instance.ssl"
MODULES = "instance.modules"
UPGRADE = "instance.upgrade"
REBUILD = "instance.rebuild"
MIGRATE = "instance.migrate"
DISCARD = "instance.discard"
UNDELETE = "instance.undelete"
RECLAIM = "instance.reclaim"
REAPPLY = "module.reapply"
BACK_UP = "instance.backup"
DELETE_BACKUP = "backup.delete"
VERIFY = "instance.verify"
"""An instance of our own, made of a backup and thrown away: ``CreateInstance`` says of
which."""
EXPORT = "instance.export"
IMPORT = "instance.import"

DEADLINES = {
    CREATE: 75 * 60.0,
    DELETE: 24 * 3600.0,
    RESTART: 30 * 60.0,
    REBOOT: 60 * 60.0,
    STOP: 30 * 60.0,
    CONFIGURE: 20 * 60.0,
    RESIZE_VOLUME: 90 * 60.0,
    RESIZE_OFFLINE: 200 * 60.0,
    RESIZE_FLAVOR: 150 * 60.0,
    ACCESS: 20 * 60.0,
    SSL: 20 * 60.0,
    MODULES: 60 * 60.0,
    UPGRADE: 24 * 3600.0,
    REBUILD: 4 * 3600.0,
    MIGRATE: 150 * 60.0,
    DISCARD: 60 * 60.0,
    UNDELETE: 75 * 60.0,
    RECLAIM: 24 * 3600.0,
    REAPPLY: 7 * 24 * 3600.0,
    BACK_UP: 48 * 3600.0,
    DELETE_BACKUP: 24 * 3600.0,
    VERIFY: 66 * 3600.0,
    EXPORT: 48 * 3600.0,
    IMPORT: 48 * 3600.0,
}
"""Seconds that each kind may take before it is undone, or raises an alarm."""
RESTORES = 40 * 3600.0
"""How much longer a create may take whose data come from a backup."""
CHECKS = 13 * 3600.0
"""How long all the data of a restored one may be read."""

KINDS = tuple(DEADLINES)


@dataclasses.dataclass(frozen=True, slots=True)
class NewDatabase:
    """A database asked for at create."""

    name: str
    character_set: str | None = None
    collate: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class NewUser:
    """A user asked for at create."""

    name: str
    password: str = dataclasses.field(repr=False)
    host: str = "%"
    databases: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Replay:
    """The archive that a restore goes on with, until a moment or a point."""

    archive: str
    until: float | None = None
    point: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class CreateInstance:
    """What ``instance.create`` needs beside the instance's row, and what
    ``instance.undelete`` needs.

    ``cost`` is what was reserved of the quota; ``image`` was chosen at accept time.
    """

    image: str
    datastore: str
    version: str
    vcpus: int
    cost: dict[str, int]
    databases: tuple[NewDatabase, ...] = ()
    users: tuple[NewUser, ...] = ()
    locality: str | None = None
    modules: tuple[str, ...] = ()
    """The ids of those that were asked for: without them it is not what was ordered."""
    restore: str | None = None
    """The backup that its data come from."""
    kept: bool = False
    """Whether its volume is there, with its data and users."""
    replay: Replay | None = None
    """And the log that is replayed after it."""
    bootstrap: str = dataclasses.field(
        default_factory=lambda: secrets.token_urlsafe(24), repr=False
    )
    """The guest's one-time broker password."""

    def to_dict(self) -> dict[str, typing.Any]:
        """Plain JSON values; of a create as an older release knows them."""
        plain = dataclasses.asdict(self)
        return plain if self.kept else {k: v for k, v in plain.items() if k != "kept"}

    @classmethod
    def from_dict(cls, data: dict[str, typing.Any]) -> "CreateInstance":
        """The reverse of ``to_dict``."""
        plain = dict(data)
        if plain.get("replay"):
            plain["replay"] = Replay(**plain["replay"])
        plain["modules"] = tuple(data.get("modules", ()))
        plain["databases"] = tuple(NewDatabase(**d) for d in data["databases"])
        plain["users"] = tuple(
            NewUser(**{**u, "databases": tuple(u["databases"])}) for u in data["users"]
        )
        return cls(**plain)


@dataclasses.dataclass(frozen=True, slots=True)
class DeleteInstance:
    """What ``instance.delete`` gives back to the quota when all is gone."""

    cost: dict[str, int] = dataclasses.field(default_factory=dict)
    keep: float = 0.0
    """Seconds that its volume is kept; 0: it goes with the rest."""

    def to_dict(self) -> dict[str, typing.Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, typing.Any]) -> "DeleteInstance":
        """The reverse of ``to_dict``."""
        return cls(**data)


@dataclasses.dataclass(frozen=True, slots=True)
class ConfigureInstance:
    """What ``instance.configure`` returns to when it fails: the group before."""

    before: str | None

    def to_dict(self) -> dict[str, typing.Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, typing.Any]) -> "ConfigureInstance":
        """The reverse of ``to_dict``."""
        return cls(**data)


@dataclasses.dataclass(frozen=True, slots=True)
class ChangeAccess:
    """What ``instance.access`` returns to when it fails: the row's access before."""

    before: dict[str, typing.Any] | None

    def to_dict(self) -> dict[str, typing.Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, typing.Any]) -> "ChangeAccess":
        """The reverse of ``to_dict``."""
        return cls(**data)


@dataclasses.dataclass(frozen=True, slots=True)
class ChangeSsl:
    """What ``instance.ssl`` has a database serve with, and in which mode.

    ``pair``: the private key, its certificate and the chain; ``ca``: whom clients'
    certificates must come from. ``back``: none of these, but what was before.
    """

    mode: str = ""
    pair: str = dataclasses.field(default="", repr=False)
    ca: str = ""
    back: bool = False

    def to_dict(self) -> dict[str, typing.Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, typing.Any]) -> "ChangeSsl":
        """The reverse of ``to_dict``."""
        return cls(**data)


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """A flavor, and what counts of it. ``ram`` in MiB."""

    flavor: str
    ram: int
    vcpus: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class ResizeFlavor:
    """What ``instance.resize_flavor`` leads to, and what it returns to."""

    before: Size
    after: Size

    def to_dict(self) -> dict[str, typing.Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, typing.Any]) -> "ResizeFlavor":
        """The reverse of ``to_dict``."""
        return cls(Size(**data["before"]), Size(**data["after"]))


@dataclasses.dataclass(frozen=True, slots=True)
class ChangeModules:
    """What ``instance.modules`` applies, and takes away: ids.

    ``by`` is the operation that has it done on many instances, if one has.
    """

    apply: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    by: str | None = None

    def to_dict(self) -> dict[str, typing.Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, typing.Any]) -> "ChangeModules":
        """The reverse of ``to_dict``."""
        return cls(tuple(data["apply"]), tuple(data["remove"]), data["by"])


@dataclasses.dataclass(frozen=True, slots=True)
class ReapplyModule:
    """How ``module.reapply`` goes about it: so many at once, seconds between two such.

    Which instances it is about is written at them.
    """

    batch: int
    pause: float

    def to_dict(self) -> dict[str, typing.Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, typing.Any]) -> "ReapplyModule":
        """The reverse of ``to_dict``."""
        return cls(**data)


@dataclasses.dataclass(frozen=True, slots=True)
class RebuildInstance:
    """What ``instance.upgrade`` and ``instance.rebuild`` lead to.

    ``version`` is a number, ``version_id`` the row that the instance is of then.
    """

    image: str
    version: str
    version_id: str
    bootstrap: str = dataclasses.field(
        default_factory=lambda: secrets.token_urlsafe(24), repr=False
    )
    """The one-time broker password of the guest that comes."""
    returning: str = dataclasses.field(
        default_factory=lambda: secrets.token_urlsafe(24), repr=False
    )
    """That of the one that comes when this has to be taken back."""
    carries: bool = False
    """Whether the new version takes a copy of what the old one says, not its files."""

    def to_dict(self) -> dict[str, typing.Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, typing.Any]) -> "RebuildInstance":
        """The reverse of ``to_dict``."""
        return cls(**data)


@dataclasses.dataclass(frozen=True, slots=True)
class MigrateInstance:
    """Where ``instance.migrate`` leads; None: where the cloud wants."""

    host: str | None

    def to_dict(self) -> dict[str, typing.Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, typing.Any]) -> "MigrateInstance":
        """The reverse of ``to_dict``."""
        return cls(**data)


@dataclasses.dataclass(frozen=True, slots=True)
class BackUp:
    """The backup that ``instance.backup`` makes: its row is there.

    ``delete``: it is the last one, and the delete that follows. ``rows``: whether the
    rows of tables are hashed.
    """

    backup: str
    delete: DeleteInstance | None = None
    rows: bool = False

    def to_dict(self) -> dict[str, typing.Any]:
        """Plain JSON values; without either as an older release knows them."""
        delete = {} if self.delete is None else {"delete": self.delete.to_dict()}
        rows = {"rows": True} if self.rows else {}
        return {"backup": self.backup, **delete, **rows}

    @classmethod
    def from_dict(cls, data: dict[str, typing.Any]) -> "BackUp":
        """The reverse of ``to_dict``."""
        delete = data.get("delete")
        before = delete and DeleteInstance.from_dict(delete)
        return cls(data["backup"], before, bool(data.get("rows")))


@dataclasses.dataclass(frozen=True, slots=True)
class DeleteBackup:
    """What ``backup.delete`` takes away: a backup and all that stands on it, in an
    order in which none is without what it stands on."""

    backups: tuple[str, ...]

    def to_dict(self) -> dict[str, typing.Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, typing.Any]) -> "DeleteBackup":
        """The reverse of ``to_dict``."""
        return cls(tuple(data["backups"]))


@dataclasses.dataclass(frozen=True, slots=True)
class DiscardCopy:
    """The copy of the data that ``instance.discard`` removes."""

    copy: str

    def to_dict(self) -> dict[str, typing.Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, typing.Any]) -> "DiscardCopy":
        """The reverse of ``to_dict``."""
        return cls(**data)
