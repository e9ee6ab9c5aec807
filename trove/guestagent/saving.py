# SPDX-License-Identifier: Apache-2.0
"""The deeds of backups: the data brought to a store, or had from it.

A job that is begun again begins from nothing: what an earlier attempt brought has names
of its own, and counts for nothing.
"""

import contextlib
import functools
import os
import threading
import time
import typing

from trove import errors
from trove.datastores.saving import Mark, NoIncrement
from trove.guestagent import accounts, grants, identity, ledger
from trove.guestagent.desk import (
    Desk,
    Result,
    configured,
    make_volume,
    mounted,
    must_be_prepared,
    plan_of,
)
from trove.guestagent.grants import Grants
from trove.rpc import codec
from trove.rpc.messages import (
    BackupLink,
    BackupOrder,
    ReplayOrder,
    RestoreOrder,
    RowsOrder,
    SegmentShown,
)
from trove.storage.vault.protocol import LIST, ROWS

if typing.TYPE_CHECKING:
    from trove.guestagent import backups
    from trove.storage.manifest import Part

DATA = "data"
"""The directory of an engine on its volume."""
UNPLAYED = ".trove-unplayed"
"""Beside it: the data are a backup's, and not yet what was asked for."""

SELDOM = 1.0
"""Seconds between two words of how much is carried."""


class Told:
    """What the control plane hears meanwhile; several threads say it."""

    def __init__(self, desk: Desk, size: int) -> None:
        """``size``: bytes of all that will be carried, or a little more."""
        self._desk, self.size = desk, size
        self._lock = threading.Lock()
        self._facts: dict[str, typing.Any] = {"attempt": desk.attempt, "carried": 0}
        self._carried, self._due = 0, 0.0

    def carried(self, size: int) -> None:
        """So many bytes are where they belong. It is durable when it is said, which
        takes longer than to hash a part: it is not said of every one."""
        with self._lock:
            self._carried = size
            if time.monotonic() >= self._due:
                self._due = time.monotonic() + SELDOM
                self._far()

    def over(self) -> None:
        """Nothing more will be carried."""
        with self._lock:
            self._far()

    def _far(self) -> None:
        size = self._carried
        percent = 5 + 85 * size // max(self.size, 1)
        self._desk.progress(min(percent, 90), f"{size >> 20} MiB are there")
        self._say("carried", size)

    def wants(self, number: int | None) -> None:
        """Nothing is granted for this part; None: all that is needed is."""
        with self._lock:
            self._say("want", number)

    def _say(self, name: str, value: int | None) -> None:
        facts = {**self._facts, name: value}
        facts = {name: value for name, value in facts.items() if value is not None}
        if facts != self._facts:
            self._facts = facts
            self._desk.so_far(facts)


def back_up(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """The data of a database that goes on serving, as encrypted parts in a store.

    Where it is to be an increment of what has none any more, nothing but that is said.
    """
    try:
        return _backed_up(desk, arguments)
    except NoIncrement as none:
        return {"attempt": desk.attempt, "none": str(none.facts["why"])[:1000]}


def _backed_up(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    from trove.datastores import rows  # only here: they stay out of the agent
    from trove.guestagent import backups
    from trove.storage import manifest

    order: BackupOrder = codec.decode(BackupOrder, arguments["order"], "order")
    must_be_prepared(desk)
    serving(desk)
    secret = unsealer(desk)(order.sealed)
    key = bytes.fromhex(str(secret["key"]))
    since = None if order.since is None else Mark(order.since, 0)
    told, job = Told(desk, used(desk.guest.data)), str(arguments["job"])
    with (
        _working(desk, "backup") as work,
        granted(desk, job, secret, told) as at,
    ):
        tool, limits = desk.engine.backups(), None
        if order.rows is not None:
            limits = rows.Limits(order.rows, order.pace, at.wanted)
        about = order.backup.encode()
        saved = backups.save(
            desk.host,
            tool,
            work,
            since,
            key,
            about,
            at.put,
            told.carried,
            order.pace,
            order.or_full,
            limits,
        )
        if saved.rows is not None:
            at.put(ROWS, rows.write(saved.rows))
        at.put(LIST, manifest.brought(saved.parts))
    instead = {"full": True} if since is not None and saved.full else {}
    return {
        "attempt": desk.attempt,
        "words": saved.mark.words,
        "size": saved.mark.size,
        **instead,
    }


def restore(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """The data directory is what a backup was. Where there is one already, an attempt
    of before was whole: it gets its name last of all."""
    from trove.guestagent import backups

    order: RestoreOrder = codec.decode(RestoreOrder, arguments["order"], "order")
    if desk.course.prepared:
        raise errors.Conflict("the guest has a database already")
    plan = plan_of(desk, {"plan": codec.encode(order.plan)})
    make_volume(desk, plan)
    data, mark = f"{desk.guest.data}/{DATA}", f"{desk.guest.data}/{UNPLAYED}"
    if desk.host.exists(mark):  # what an attempt of before has not played to the end
        desk.engine.stop()
        desk.host.remove(data)
    elif desk.host.exists(data):
        return {}
    secret = unsealer(desk)(order.sealed)
    told, job = Told(desk, 0), str(arguments["job"])
    with (
        _working(desk, "restore") as work,
        granted(desk, job, secret, told) as at,
    ):
        fetched = Fetched(at, told)
        links = _links(order.links, secret, fetched)
        if len(links) > 1 or order.replay is not None:
            # what plays a log is a server of this plan
            desk.host.write_file(mark, f"{job}\n", mode=0o600)
            configured(desk, order.plan)
        if order.replay is None:
            backups.restore(desk.host, desk.engine.backups(), work, links)
        else:
            _played(desk, order, order.replay, work, links, secret, fetched)
        desk.host.remove(mark)
    return {}


def check(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """All of a database that serves is as it must be, by its engine's own checker."""
    must_be_prepared(desk)
    serving(desk)
    desk.engine.backups().check()
    return {}


def check_rows(desk: Desk, arguments: dict[str, typing.Any]) -> Result:
    """The rows of tables are those whose hashes were taken; how many were compared."""
    from trove.datastores import rows

    order: RowsOrder = codec.decode(RowsOrder, arguments["order"], "order")
    must_be_prepared(desk)
    serving(desk)
    before = rows.read(order.hashes)
    tables = [table.where for table in before.tables]
    hashes = desk.engine.backups().rows()
    after = rows.tried(lambda: hashes.again(tables, order.seconds))
    # what could not be read is no verdict: the checker has read all of it
    return after.said() if after.none else dict(rows.compared(before, after))


def _played(
    desk: Desk,
    order: RestoreOrder,
    replay: ReplayOrder,
    work: str,
    links: "list[backups.Link]",
    secret: dict[str, typing.Any],
    fetched: "Fetched",
) -> None:
    """What came after the backup is in the data, as far as it was ordered."""
    from trove.guestagent import replaying

    segments = fetched.segments(len(links), replay)
    first = sum(len(link.parts) for link in links)
    log = replaying.Window(
        *(desk.host, f"{work}/log", desk.guest.user, replay.archive, segments),
        bytes.fromhex(str(secret["keys"][-1])),
        functools.partial(fetched.part, first),
    )
    replaying.restore(desk.host, desk.engine, work, links, order.words, log, replay)


def _links(
    links: typing.Sequence[BackupLink], secret: dict[str, typing.Any], at: "Fetched"
) -> list[typing.Any]:
    """Each as it is stored. The parts of all of them have numbers in one row."""
    from trove.guestagent import backups

    found, first = [], 0
    keys = secret["keys"][: len(links)]  # an archive's comes after them
    for number, (link, key) in enumerate(zip(links, keys, strict=True)):
        parts = at.parts(number, link)
        get = functools.partial(at.part, first)
        found.append(
            backups.Link(parts, bytes.fromhex(str(key)), link.backup.encode(), get)
        )
        first += len(parts)
    return found


class Fetched:
    """The objects of a chain as they come, and how far that is."""

    def __init__(self, at: Grants, told: Told) -> None:
        self._at, self._told = at, told
        self._lock = threading.Lock()
        self._done = 0

    def parts(self, number: int, link: BackupLink) -> "tuple[Part, ...]":
        """What a link's manifest names."""
        from trove.storage import manifest

        said = self._at.get(LIST + number, link.size)
        found = manifest.parts_in(said, link.sha256)
        self._told.size += sum(part.size for part in found)
        return found

    def segments(self, number: int, order: ReplayOrder) -> "tuple[SegmentShown, ...]":
        """What an archive's list names."""
        from trove.storage import archives

        said = self._at.get(LIST + number, order.size)
        found = archives.read(said, order.sha256)
        self._told.size += sum(part.size for one in found for part in one.parts)
        return found

    def part(self, first: int, number: int, size: int) -> bytes:
        """One of a link, whose own begin with number ``first``."""
        data = self._at.get(first + number, size)
        with self._lock:
            self._done += size
            self._told.carried(self._done)
        return data


def serving(desk: Desk) -> None:
    """The database runs, also when its machine has just been started."""
    mounted(desk)
    if not desk.course.run:
        raise errors.Conflict("the database is stopped")
    desk.engine.start()
    desk.until_healthy(60)


@contextlib.contextmanager
def _working(desk: Desk, name: str) -> typing.Iterator[str]:
    """An empty directory on the volume, which is gone at the end."""
    work = f"{desk.guest.data}/{name}"
    desk.host.remove(work)
    desk.host.make_directory(work, mode=0o700, owner=desk.guest.user)
    try:
        yield work
    finally:
        desk.host.remove(work)


@contextlib.contextmanager
def granted(
    desk: Desk, job: str, secret: dict[str, typing.Any], told: Told
) -> typing.Iterator[Grants]:
    """What the job may carry by; of its order, if this is its first attempt."""
    path = desk.places.jobs / f"{ledger.file_name(job)}.grant"
    own = [grants.Grant.of(dict(each)) for each in secret["grants"]]
    made = Grants(path, unsealer(desk), told.wants, attempt=desk.attempt, own=own)
    try:
        yield made
        told.over()
    finally:
        made.close()


def unsealer(desk: Desk) -> typing.Callable[[str], dict[str, typing.Any]]:
    return accounts.unsealer(lambda: identity.load(desk.places).private_key)


def used(path: str) -> int:
    """Bytes on the file system of the data."""
    found = os.statvfs(path)
    return (found.f_blocks - found.f_bfree) * found.f_frsize
