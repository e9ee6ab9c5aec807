# SPDX-License-Identifier: Apache-2.0
"""The values that cross the wire between the control plane and a guest.

Each is a frozen dataclass. ``rpc/codec.py`` turns one into plain JSON values and back,
strictly: a missing field, a wrong type, or a text over its bound is ``errors.Invalid``,
and a field nobody declared never reaches anything. Nothing in a message names a class.
"""

import dataclasses
import typing

TEXT = 4096
"""The longest text of a message unless its field says otherwise, in characters."""


@dataclasses.dataclass(frozen=True, slots=True)
class JobReport:
    """How one job of a guest stands. ``result`` is the job's own small dict."""

    id: str
    state: str
    progress: int = 0
    fault: str | None = None
    result: dict[str, typing.Any] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """A guest's heartbeat.

    ``(boot, seq)`` only grows: boot counts the agent's starts, seq the reports since.
    ``service`` is a ``model.states.Service`` value. Sizes are bytes.
    """

    boot: int
    seq: int
    service: str
    why: str = ""
    role: str | None = None
    position: str | None = None
    version: str | None = None
    disk_used: int | None = None
    disk_total: int | None = None
    agent: str | None = None
    rss: int | None = None
    certificate_expires: str | None = None
    jobs: tuple[JobReport, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Enrolment:
    """A guest's first word, sent with its bootstrap credential.

    ``password_hash`` is RabbitMQ's salted SHA-256 of a password that only the guest
    knows; ``public_key`` (base64, X25519) is what secrets for it are sealed with;
    ``csr`` (PEM) asks for its server certificate, whose names the control plane
    decides.
    """

    password_hash: str
    public_key: str
    csr: str = dataclasses.field(metadata={"max": 8192})


@dataclasses.dataclass(frozen=True, slots=True)
class Renewal:
    """An enrolled guest asks for its next certificate; ``csr`` (PEM) is of a new key.

    As at the enrolment, only its public key counts.
    """

    csr: str = dataclasses.field(metadata={"max": 8192})


@dataclasses.dataclass(frozen=True, slots=True)
class Enrolled:
    """The answer: the certificate and the deployment's CA, PEM."""

    certificate: str = dataclasses.field(metadata={"max": 16384})
    ca: str = dataclasses.field(metadata={"max": 16384})


@dataclasses.dataclass(frozen=True, slots=True)
class DatabaseOrder:
    """A database that must be there."""

    name: str
    character_set: str | None = None
    collate: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What a guest must become.

    ``memory`` in MiB; ``device`` is where the data volume appears (None: no volume).
    ``sealed`` is ``rpc.sealing.seal`` of ``{"users": [{"name", "host", "password",
    "databases"}]}``: no password is ever readable in a queue.
    """

    datastore: str
    version: str
    memory: int
    vcpus: int
    server_id: int
    device: str | None
    fstype: str
    databases: tuple[DatabaseOrder, ...] = ()
    copy: str = ""
    """Of a server that was built anew over its data: what they were kept as before.
    A name under which nothing was kept says only that there must be data."""
    back: bool = False
    """Whether that copy is brought back: what came after it did not work."""
    group: dict[str, typing.Any] = dataclasses.field(default_factory=dict)
    sealed: str = dataclasses.field(default="", metadata={"max": 1048576})


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """The values of a configuration group, and what the other layers are made from.

    ``memory`` in MiB. No value is a secret: parameters that hold one are none of a
    group's.
    """

    memory: int
    vcpus: int
    server_id: int
    values: dict[str, typing.Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class BackupOrder:
    """A backup that a guest brings. ``since``: the engine's own words on where the one
    ended that this one stands on; None: it is a full one. ``pace``: bytes of the data
    that may be read in a second; None: as many as there can be. ``or_full``: a full one
    will do where the engine cannot say what has changed. ``rows``: seconds in which the
    rows of tables are hashed; None: they are not.

    ``sealed`` is ``rpc.sealing.seal`` of ``{"key", "grants"}``: the backup's key, in
    hexadecimal, and the first of what ``Guest.allow`` brings.
    """

    backup: str
    since: dict[str, str] | None = None
    sealed: str = dataclasses.field(default="", repr=False, metadata={"max": 1048576})
    pace: int | None = None
    or_full: bool = False
    rows: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class RowsOrder:
    """What rows must be: hashes of them (``datastores.rows.write``), and the seconds in
    which they are read."""

    hashes: str = dataclasses.field(repr=False, metadata={"max": 524288})
    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class BackupLink:
    """A backup of a chain: its manifest's bytes, and their SHA-256."""

    backup: str
    size: int
    sha256: str


@dataclasses.dataclass(frozen=True, slots=True)
class ReplayOrder:
    """The transaction log that a restore goes on with: an archive's list of segments,
    by its bytes and their SHA-256 (``storage.archives``).

    Until a moment (seconds since the epoch, by the clock of the guest that wrote it),
    or until a point that has a name in the log.
    """

    archive: str
    size: int
    sha256: str
    until: float | None = None
    point: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class RestoreOrder:
    """A chain that a guest's data come from, the full one first, and (``replay``) what
    was written after it.

    ``sealed`` is ``rpc.sealing.seal`` of ``{"keys", "grants"}``: a key for each link,
    the archive's last if there is one, and the first of what ``Guest.allow`` brings.
    """

    plan: Plan
    links: tuple[BackupLink, ...]
    sealed: str = dataclasses.field(default="", repr=False, metadata={"max": 1048576})
    words: dict[str, str] = dataclasses.field(default_factory=dict)
    """The engine's own of the last link: where the log goes on."""
    replay: ReplayOrder | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ArchiveOrder:
    """The transaction log is brought to a store from now on, as segments, at least each
    ``every`` seconds.

    ``counted``: so many segments are in the store by the control plane's own look; the
    engine may let go of what they hold. ``sealed`` is ``rpc.sealing.seal`` of
    ``{"key", "grants"}``: the archive's key, in hexadecimal, and requests for parts.
    The same order again, or an older one, changes nothing.
    """

    archive: str
    every: int
    counted: int = 0
    sealed: str = dataclasses.field(default="", repr=False, metadata={"max": 1048576})


@dataclasses.dataclass(frozen=True, slots=True)
class PartShown:
    """A part that a guest brought."""

    size: int
    sha256: str
    md5: str


@dataclasses.dataclass(frozen=True, slots=True)
class SegmentShown:
    """A piece of the transaction log that a guest brought.

    ``first`` to ``last`` are places in the log, whole numbers in the engine's order: a
    segment begins with the one after that with which the one before it ended. Every
    change that a client heard of before ``until`` (seconds since the epoch, by the
    guest's clock) is in it or in one before. Its parts have numbers in one row, from
    ``part`` on; between two segments some may be left out.
    """

    number: int
    part: int
    parts: tuple[PartShown, ...]
    first: int
    last: int
    since: float
    until: float


@dataclasses.dataclass(frozen=True, slots=True)
class ArchiveReport:
    """How an archive stands, by its guest's word: the segments that are not counted
    yet, oldest first; the first part that nothing is granted for.

    ``broken``: a piece of the log is lost, and nothing more will come of this archive.
    """

    archive: str
    segments: tuple[SegmentShown, ...] = ()
    want: int | None = None
    broken: str | None = None
    waiting: int | None = None
    """Bytes of the log that are not in the store yet."""


@dataclasses.dataclass(frozen=True, slots=True)
class ExportOrder:
    """A dump of these databases that a guest brings, as ``name``; ``ending`` is what
    its objects' names end with. ``back``: of none, and what an export that died left in
    the engine is gone; an agent that does not know of it finds nothing sealed, and
    refuses.

    ``sealed`` is ``rpc.sealing.seal`` of ``{"grants"}``: the first of what
    ``Guest.allow`` brings.
    """

    name: str
    databases: tuple[str, ...]
    ending: str
    sealed: str = dataclasses.field(default="", repr=False, metadata={"max": 1048576})
    back: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class ImportOrder:
    """A dump of so many bytes that a guest loads into a new database; ``back``: it is
    taken away, if it is one of an import.

    ``sealed`` is ``rpc.sealing.seal`` of ``{"grants"}``: the first of what
    ``Guest.allow`` brings.
    """

    database: str
    size: int = 0
    back: bool = False
    sealed: str = dataclasses.field(default="", repr=False, metadata={"max": 1048576})


@dataclasses.dataclass(frozen=True, slots=True)
class UserShown:
    """A user as a guest finds it in its engine."""

    name: str
    host: str
    databases: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class LogShown:
    """A log as a guest finds it; ``published`` and ``pending`` are bytes of the file
    that is written now. ``status`` is one of the contract's words, section 13."""

    name: str
    status: str
    published: int
    pending: int


@dataclasses.dataclass(frozen=True, slots=True)
class TlsOrder:
    """How a server is to be reached from now on, or (``back``) as before that.

    ``mode`` is one of ``datastores.protocol.MODES``. ``sealed`` is
    ``rpc.sealing.seal`` of ``{"pair", "ca"}``: the private key, its certificate and the
    chain in one text; and whom clients' certificates must come from.
    """

    mode: str = ""
    back: bool = False
    sealed: str = dataclasses.field(default="", repr=False, metadata={"max": 262144})


@dataclasses.dataclass(frozen=True, slots=True)
class TlsShown:
    """How a server is reached, and the certificate that it shows with its chain, PEM.

    ``brought``: by a user; else the deployment issued it.
    """

    mode: str
    certificate: str | None = dataclasses.field(metadata={"max": 49152})
    brought: bool


@dataclasses.dataclass(frozen=True, slots=True)
class CopyShown:
    """A copy of the data beside them on the volume; ``size`` in bytes, None when it is
    not counted in time; ``made`` is the guest's clock's."""

    name: str
    size: int | None
    made: float


@dataclasses.dataclass(frozen=True, slots=True)
class ModuleOrder:
    """A module for a guest. ``sealed`` is ``rpc.sealing.seal`` of ``{"contents"}``, in
    base64; none is needed to take it away."""

    id: str
    name: str
    type: str
    md5: str
    sealed: str = dataclasses.field(default="", repr=False, metadata={"max": 1048576})


@dataclasses.dataclass(frozen=True, slots=True)
class ModuleShown:
    """A module that a guest has; ``status`` is a ``model.states.Modular`` value,
    ``updated`` seconds since the epoch by the guest's clock."""

    id: str
    status: str
    message: str
    md5: str
    updated: float


@dataclasses.dataclass(frozen=True, slots=True)
class Sealed:
    """``rpc.sealing.seal`` of what nobody on the way may read: new passwords."""

    text: str = dataclasses.field(repr=False, metadata={"max": 1048576})


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What the API asks of one guest: a method of ``rpc.guest.Guest``, by its name.

    The taskmanager lets the few through that are about accounts (``rpc/relay.py``).
    """

    method: str
    arguments: dict[str, typing.Any] = dataclasses.field(
        repr=False, metadata={"max": 1048576}
    )
