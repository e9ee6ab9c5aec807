# SPDX-License-Identifier: Apache-2.0
"""Increments by the engine's own summaries of its log: whether one can be made, and how
a chain is put together (manual, "Incremental Backup").

The server notes which blocks were written (``summarize_wal``). An increment has those
that were since its parent began, so no stretch of the log since then may be without its
summary. The server looks at that too, at the moment when it is asked for all; it is
looked at before, so that who asked hears why, or has a full backup made instead.
"""

import re
import typing

from trove import errors
from trove.datastores.postgresql.agent.places import programs
from trove.datastores.postgresql.agent.sql import Talk
from trove.datastores.postgresql.spec import DATASTORE
from trove.datastores.protocol import Host
from trove.datastores.saving import NoIncrement
from trove.datastores.unit import scrub

COMBINE = 6 * 3600.0
"""Seconds in which the files of a chain become those of one."""
CHECKSUMS = "--manifest-checksums=CRC32C"
"""What a list of files has each by, which is the tools' own default: it tells what a
disk, or who unpacked them, did to them. What became of them in a store is told before
that, by the frames and the parts (ADR 30), and a SHA-256 more, of every file, makes the
tool take 3.0 s for a GiB instead of 1.7."""
LOOK = 10.0
COUNT = 1800.0
PLACE = re.compile(r"([0-9A-F]{1,8})/([0-9A-F]{1,8})")

STATE = """\
SELECT current_setting('summarize_wal')::bool, timeline_id,
(SELECT summarized_lsn - '0/0'::pg_lsn FROM pg_get_wal_summarizer_state())::bigint
FROM pg_control_checkpoint()"""
SUMMARIES = """\
SELECT (start_lsn - '0/0'::pg_lsn)::bigint, (end_lsn - '0/0'::pg_lsn)::bigint
FROM pg_available_wal_summaries() WHERE tli = {timeline} ORDER BY 1, 2"""


def check(line: Talk, words: typing.Mapping[str, str]) -> None:
    """Raises ``NoIncrement`` unless the server has noted all that was written since the
    backup with those words began."""
    ((on, timeline, reached),) = line.rows(STATE, LOOK)
    if not on:
        raise NoIncrement(
            why="the server does not note what is written (summarize_wal)"
        )
    if str(timeline) != words.get("timeline"):
        raise NoIncrement(why=f"its log is on timeline {timeline} by now")
    found = line.rows(SUMMARIES.format(timeline=int(timeline)), LOOK)
    if _unbroken(found, _place(words.get("begin", ""))) < int(reached or 0):
        why = "of some of the time since it began there is no note of what was written"
        raise NoIncrement(why=why)


def _unbroken(summaries: typing.Iterable[tuple[int, ...]], begin: int) -> int:
    """How far the summaries go from there without a hole."""
    reached = begin
    for start, end in summaries:
        if start <= reached < end:
            reached = end
    return reached


def _place(text: str) -> int:
    found = PLACE.fullmatch(text)
    if found is None:
        raise NoIncrement(why="it does not say where in the log it began")
    return int(found[1], 16) << 32 | int(found[2], 16)


def combine(host: Host, links: typing.Sequence[str], whole: str) -> None:
    """The files of the last link are in that directory, which there is none of yet.

    Where files share blocks (XFS) that takes the room of the increments, elsewhere that
    of all; it is looked for before. The links must have been verified: what the tool
    takes from them it does not compare.
    """
    shared = _shares(host, links[0])
    _refuse_full(host, links[1:] if shared else links)
    argv = [f"{programs(host)}/pg_combinebackup", CHECKSUMS]
    argv += ["--copy-file-range"] if shared else []
    argv += [f"--output={whole}", "--", *links]
    ran = host.run(argv, user=DATASTORE.user, timeout=COMBINE, check=False)
    if ran.returncode:
        raise errors.EngineFailed(why=f"pg_combinebackup: {scrub(ran.stderr)}")


def _shares(host: Host, link: str) -> bool:
    """Whether a copy of a file takes no room there."""
    copy = f"{link}.shared"
    argv = ["cp", "--reflink=always", "--", f"{link}/PG_VERSION", copy]
    shared = host.run(argv, check=False).returncode == 0
    host.remove(copy)
    return shared


def _refuse_full(host: Host, those: typing.Sequence[str]) -> None:
    count = ["du", "--summarize", "--block-size=1M", "--", *those]
    lines = host.run(count, timeout=COUNT).stdout.splitlines()
    needed = sum(int(line.split()[0]) for line in lines)
    argv = ["df", "--output=avail", "--block-size=1M", "--", those[0]]
    free = int(host.run(argv).stdout.split()[-1])
    if free < needed:
        raise errors.EngineFailed(
            why=f"the chain is put together in {needed} MiB beside it, and the volume "
            f"has {free} MiB left: restore it to a larger one"
        )
