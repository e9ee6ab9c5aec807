# SPDX-License-Identifier: Apache-2.0
"""Backups: their states, the chains that they make, and which of these are over.

Contract, section 9. An increment is of no use without all that it stands on, so what
is kept and what goes is always a whole chain.
"""

import collections
import dataclasses
import enum
import typing

from trove import errors


class BackupState(enum.StrEnum):
    """Where a backup is, as users are told."""

    NEW = "NEW"
    BUILDING = "BUILDING"
    SAVING = "SAVING"  # the guest is done; what it brought is compared
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    RESTORED = "RESTORED"  # made elsewhere, and registered here
    DELETING = "DELETING"
    DELETE_FAILED = "DELETE_FAILED"


RUNNING = (BackupState.NEW, BackupState.BUILDING, BackupState.SAVING)
"""Of one that goes on: it can be neither deleted nor restored, nor be a parent."""
WHOLE = (BackupState.COMPLETED, BackupState.RESTORED)
"""Of one that restores."""

SNAPSHOT = "cinder"
"""The driver of one that is a snapshot of its instance's volume. It stands on nothing
and nothing on it; and it is on what the volume is on, so it replaces no other."""

LINKS = 30
"""The most that a chain may have: each is a step of a restore."""


class NotWhole(errors.Conflict):
    """A backup that nothing can be made of."""

    sentence = "Backup {id} is {state}: it restores nothing."


class NoChain(errors.Conflict):
    """An increment that has nothing to stand on."""

    sentence = "Backup {id} stands on {parent}, which is not there."


class NoGround(errors.Conflict):
    """A backup that does not say what an increment of it would begin by."""

    sentence = "No increment can begin at backup {id}: the next one must be full."


class TooLong(errors.Conflict):
    """Another increment would be one too many."""

    sentence = "The chain of backup {id} has {links} links, the most there may be."


class Unsound(errors.Conflict):
    """An increment would stand on what does not restore."""

    sentence = (
        "Backup {id}, or one of its chain, did not restore when that was tried: its "
        "next one must be full."
    )


class Last(errors.Conflict):
    """An increment would have to say what is not there any more."""

    sentence = (
        "The log that came after backup {id} is gone from its instance: the next "
        "backup must be full."
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """A backup, as far as a chain knows it. ``ended``: when, in seconds; of its data,
    not of its bookkeeping. ``unsound``: it did not restore when that was tried.
    ``last``: its instance cannot say any more what came after it."""

    id: str
    parent: str | None
    state: BackupState
    ended: float
    unsound: bool = False
    last: bool = False


Chain = tuple[Link, ...]
"""A full one, and increments, each of the one before it."""


def chain(links: typing.Iterable[Link], id: str) -> Chain:
    """All that a restore of this one needs, the full one first.

    ``links`` has at least those. Raises ``NotWhole`` or ``NoChain``.
    """
    known = {link.id: link for link in links}
    found: list[Link] = []
    wanted: str | None = id
    while wanted is not None:
        link = known.pop(wanted, None)
        if link is None:
            raise NoChain(id=found[-1].id if found else id, parent=wanted)
        if link.state not in WHOLE:
            raise NotWhole(id=link.id, state=link.state)
        found.append(link)
        wanted = link.parent
    return tuple(reversed(found))


def parent(links: typing.Iterable[Link], id: str) -> Link:
    """One that an increment may be made of."""
    known = list(links)
    whole = chain(known, id)
    if id in spoilt(known):
        raise Unsound(id=id)
    if whole[-1].last:
        raise Last(id=id)
    if len(whole) >= LINKS:
        raise TooLong(id=id, links=len(whole))
    return whole[-1]


def trees(links: typing.Iterable[Link]) -> list[list[Link]]:
    """Each full one with all that stands on it, in whatever state; older ones first.

    What stands on nothing that is there is a tree by itself.
    """
    below = collections.defaultdict(list)
    known = {link.id: link for link in links}
    tops = []
    for link in known.values():
        if link.parent in known:
            below[link.parent].append(link)
        else:
            tops.append(link)
    found = []
    for top in sorted(tops, key=lambda link: (link.ended, link.id)):
        tree, left = [], [top]
        while left:
            tree.append(left.pop())
            left += below[tree[-1].id]
        found.append(tree)
    return found


def spoilt(links: typing.Iterable[Link]) -> set[str]:
    """The ids of all links of the trees in which one is unsound: which of what it
    stands on is the cause, nobody knows."""
    return {
        link.id
        for tree in trees(links)
        if any(link.unsound for link in tree)
        for link in tree
    }


def over(links: typing.Iterable[Link], since: float) -> list[list[Link]]:
    """The trees that may go: nothing since that moment needs them, oldest first.

    A moment is restored from the last full one before it. So the newest tree whose full
    one was whole before ``since`` is kept, and all after it; and while there is none,
    everything is. The last one that restores is never among those that go: one of a
    tree that did not restore when that was tried is not it.
    """
    known = list(links)
    found, sick = trees(known), spoilt(known)
    bases = [
        number
        for number, (top, *_) in enumerate(found)
        if top.parent is None
        and top.state in WHOLE
        and top.ended <= since
        and top.id not in sick
    ]
    if not bases:
        return []
    return [tree for tree in found[: bases[-1]] if not any(map(_goes_on, tree))]


def _goes_on(link: Link) -> bool:
    return link.state in RUNNING
