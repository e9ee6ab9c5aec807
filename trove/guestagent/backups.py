# SPDX-License-Identifier: Apache-2.0
"""A database's data on their way: out of the engine into parts, and in again.

All of it runs in the process of a job, which ends: no agent that serves has any of this
in its memory. Nothing is on a disk in between.
"""

import dataclasses
import typing

from trove.datastores.protocol import Host, Stage
from trove.datastores.rows import Hashes, Limits
from trove.datastores.saving import Backups, Mark, NoIncrement
from trove.storage import pipeline
from trove.storage.manifest import Part

PRESS = Stage(("zstd", "-1", "--quiet", "--stdout"))
"""At the level that takes a third of the processor of the usual one, for a backup that
is a few percent larger: the database works beside it."""
UNPRESS = Stage(("zstd", "--quiet", "--decompress", "--stdout"))
ENDS = 600.0
"""Seconds in which the programs end that have said, or been told, everything."""


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """A backup as who restores it gets it. ``about`` is what it was encrypted with."""

    parts: tuple[Part, ...]
    key: bytes = dataclasses.field(repr=False)
    about: bytes
    get: pipeline.Get


@dataclasses.dataclass(frozen=True, slots=True)
class Saved:
    """What was brought, and where it ends. ``full``: all the data, and no increment,
    whatever was asked for. ``rows``: the hashes of rows, where they were asked for."""

    parts: tuple[Part, ...]
    mark: Mark
    full: bool = True
    rows: Hashes | None = None


def save(
    host: Host,
    tool: Backups,
    work: str,
    since: Mark | None,
    key: bytes,
    about: bytes,
    put: pipeline.Put,
    told: typing.Callable[[int], None] = lambda size: None,
    pace: int | None = None,
    or_full: bool = False,
    rows: Limits | None = None,
) -> Saved:
    """The data, or what has changed since; ``told`` hears how many bytes are there.

    ``pace``: bytes in a second that the engine's tool may say, at the most.
    ``or_full``: where it cannot say what has changed, it says all.
    ``rows``: within what rows are hashed; None: they are not.

    Raises ``NoIncrement`` as the tool does, ``errors.CommandFailed`` when any program
    did not end well, and what ``put`` raises: what was brought is nothing then.
    """
    if rows is not None:
        tool.rows().expect(rows)
    try:
        stages = tool.stages(work, since)
    except NoIncrement:
        if not or_full:
            raise
        since = None
        stages = tool.stages(work)
    *first, last = stages
    last = dataclasses.replace(last, pace=pace)
    with host.reading(*first, last, PRESS, within=ENDS) as stream:
        sent = pipeline.send(stream, key, about, put, told)
    mark = tool.mark(work)
    hashes = None if rows is None else tool.rows().taken(mark)
    return Saved(sent.parts, mark, since is None, hashes)


def restore(host: Host, tool: Backups, work: str, links: typing.Sequence[Link]) -> None:
    """The data directory is what the last of the links was; there is none yet.

    Raises ``frames.Broken`` when anything is not as it was stored,
    ``errors.EngineFailed`` when the engine's tool does not take it.
    """
    for number, link in enumerate(links):
        stages = (UNPRESS, *tool.taking(work, number))
        with host.writing(*stages, within=ENDS) as sink:
            for piece in pipeline.receive(link.parts, link.key, link.about, link.get):
                sink.write(piece)
    tool.together(work, len(links))
