# SPDX-License-Identifier: Apache-2.0
"""An increment of MySQL is its binary log since the backup that it stands on.

It is whole files, each of which was looked through, in one tar with a note that says
where they begin and end. The way back is that of a log (``classic.replay``): the
engine's own applier plays them, link by link, in a server that nobody reaches.

That the log goes on where the parent ended is not told by a file's name: names begin
anew where somebody resets the log. A file is known by its first events
(``binlog.identity``), and a server by its UUID.
"""

import contextlib
import json
import os

from trove import errors
from trove.datastores import archives
from trove.datastores.archives import LogFile, Lost, Short
from trove.datastores.classic import archive, binlog, replay, wanting
from trove.datastores.classic.sql import Talk, literal
from trove.datastores.protocol import Stage
from trove.datastores.saving import Mark, NoIncrement

LOOK = 60.0
NOTE = "increment.json"
"""Beside the files of a link: ``{"since", "until"}``, places of both ends."""
NAMES = "gtid_executed"
"""The word with the names of all transactions that were committed."""
BEGIN = 4
"""Where in a file its first event is."""
POSITION = "SHOW BINARY LOG STATUS"
ABOUT = "SELECT @@GLOBAL.version, @@GLOBAL.server_uuid"
EVENTS = "SHOW BINLOG EVENTS IN {file} LIMIT 2"
CONTAINS = "SELECT GTID_SUBSET({some}, @@GLOBAL.gtid_executed)"

Words = dict[str, str]


def position(server: archive.Server, talk: Talk) -> Words:
    """Where the log is at the moment: all until there was committed."""
    ((file, place, _, _, executed),) = talk.rows(POSITION, LOOK)
    return _words(server, talk, f"{file}:{place}", str(executed))


def begin(server: archive.Server, since: Mark) -> tuple[list[LogFile], Words]:
    """The files that came since, to which nothing more is written, and where they end.

    ``NoIncrement`` when they are not there, or are not what they seem.
    """
    first, place = _begins(since.words)
    wanting.want(server.host, server.places, first, increment=True)
    with server.talk() as talk:
        talk.rows(archive.CUT, LOOK)
        *ended, current = archive.listed(talk)
        said = f"{current.name}:{BEGIN}"
        until = _words(server, talk, said, _before(talk, current.name))
        known = _contains(talk, since.words.get(NAMES, ""))
    if until["server"] != since.words["server"] or not known:
        raise NoIncrement(why="its log is another one by now")
    try:
        files = archives.whole(ended, first - 1, current.place)
        begun = binlog.identity(archive.path(server, files[0].name)) if files else ""
        if begun != since.words["log"]:
            raise NoIncrement(why="its log was begun anew")
        if files[0].size < place:
            raise Lost(why=f"{files[0].name} ends before that backup does")
        for file in files:
            binlog.checked(archive.path(server, file.name))
    except (Lost, OSError) as lost:
        why = lost.message if isinstance(lost, Lost) else "a file of it cannot be read"
        raise NoIncrement(why=why) from lost
    until["since"] = since.words["binlog"]
    return files, until


def stages(
    server: archive.Server, work: str, since: Mark, files: list[LogFile], until: Words
) -> tuple[Stage, ...]:
    """What says the note, and then these files."""
    user = server.own.user
    text = json.dumps({"since": since.words, "until": until})
    server.host.write_file(f"{work}/{NOTE}", text, mode=0o600, owner=user)
    tar = ("tar", "--create", "--file=-", f"--directory={work}", NOTE)
    names = (f"--directory={server.places.binlogs}", *(file.name for file in files))
    return (Stage((*tar, *names), user=user),)


def play(server: archive.Server, work: str, number: int) -> None:
    """A link that was taken, all of it, is in the data, which are the one before.

    ``errors.EngineFailed`` when it is not that one's, is not whole, or ends early.
    """
    there = f"{work}/{number}"
    since, until = _noted(server, there)
    if number > 1 and _end(_noted(server, f"{work}/{number - 1}")[1]) != _end(since):
        raise Lost(why=f"link {number} does not begin where the one before ends")
    first, place = _begins(since)
    names = _names(there, range(first, _begins(until)[0]))
    for name in names:
        binlog.checked(f"{there}/{name}")
    if binlog.identity(f"{there}/{names[0]}") != since["log"]:
        raise Lost(why=f"link {number} begins with another file")
    part = replay.Part(names, place, os.stat(f"{there}/{names[-1]}").st_size)

    def before(talk: Talk) -> None:
        if not _contains(talk, since.get(NAMES, "")):
            raise Lost(why=f"link {number} stands on another backup")

    def after(talk: Talk) -> None:
        if not _contains(talk, until[NAMES]):
            raise Short(what=f"the end of link {number}")

    replay.play(server, work, there, part, before, after)


def _words(server: archive.Server, talk: Talk, place: str, executed: str) -> Words:
    ((version, uuid),) = talk.rows(ABOUT, LOOK)
    return {
        "version": str(version).partition("-")[0],
        "server": str(uuid),
        "binlog": place,
        "log": binlog.identity(archive.path(server, place.partition(":")[0])),
        NAMES: "".join(executed.split()),
    }


def _before(talk: Talk, file: str) -> str:
    """The names of all transactions that are in the files before this one."""
    for _, _, kind, _, _, about in talk.rows(EVENTS.format(file=literal(file)), LOOK):
        if kind == "Previous_gtids":
            return str(about)
    raise NoIncrement(why="its log does not say what came before")


def _contains(talk: Talk, some: str) -> bool:
    return talk.rows(CONTAINS.format(some=literal(some)), LOOK) == [(1,)]


def _begins(words: Words) -> tuple[int, int]:
    """The file in which an increment of this begins, and where in it."""
    found = archive.begins(words.get("binlog", ""))
    if found is None or not {"server", "log"} <= words.keys():
        raise NoIncrement(why="it does not say where its log goes on")
    return found


def _end(words: Words) -> tuple[str, str, str]:
    return words["server"], words["binlog"], words["log"]


def _noted(server: archive.Server, there: str) -> tuple[Words, Words]:
    with contextlib.suppress(ValueError):
        match json.loads(server.host.read_file(f"{there}/{NOTE}") or ""):
            case {"since": dict(since), "until": dict(until)} if (
                _placed(since) and _placed(until) and NAMES in until
            ):
                return since, until
    raise errors.EngineFailed(why="an increment says nothing of itself")


def _placed(words: dict[str, object]) -> bool:
    texts = all(isinstance(word, str) for word in words.values())
    return texts and {"binlog", "server", "log"} <= words.keys()


def _names(there: str, numbers: range) -> list[str]:
    """The files of a link in their order: these, and no others."""
    with os.scandir(there) as entries:
        files = [one for one in entries if one.is_file(follow_symlinks=False)]
    found = {one.name.rpartition(".")[2]: one.name for one in files}
    found.pop(NOTE.rpartition(".")[2], None)
    # not as many as a note may say: it was written by who knows whom
    names = [found.pop(f"{number:06}", "") for number in numbers[: len(found) + 1]]
    if found or not names or "" in names:
        raise Lost(why="an increment has not the files that it says")
    return names
