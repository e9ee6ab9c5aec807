# SPDX-License-Identifier: Apache-2.0
"""The certificate that a user brought, with its key: kept on the volume, by root alone.

It is on the volume so that it is there when the server is built anew, and it is the
only copy outside the engine's own directory: the control plane forgets it when the
guest has it. The one before is kept beside it, in the same file, so that a step back is
one move.
"""

import dataclasses
import pathlib
import typing

from trove import errors
from trove.datastores.protocol import MODES
from trove.guestagent import files, state
from trove.guestagent.host import Host
from trove.guestagent.places import Places

FOLDER = ".trove-tls"
"""The directory on the volume; root's alone."""
FILE = "brought.json"


class Unreachable(errors.Internal):
    """Nobody knows what was brought while the volume is away."""

    sentence = "The certificate that was brought cannot be read: {why}."


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """Key, certificate and its chain (one text), the clients' authority, the mode."""

    mode: str
    pair: str = dataclasses.field(repr=False)
    ca: str


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """What is in force and what was before it; None: what the deployment issues."""

    now: Pair | None = None
    before: Pair | None = None
    by: str = ""
    """The job that changed it last: done again, that one changes nothing."""

    def taking(self, pair: Pair, by: str) -> "Kept":
        """Another is in force; given again, it is no other."""
        return self if pair == self.now else Kept(pair, self.now, by)

    def returning(self, by: str) -> "Kept":
        """One step back; what is left then is what the deployment issues."""
        return Kept(self.before, None, by)


def load(places: Places, host: Host) -> Kept:
    """What this guest was given. What lies on a copy of another's volume is not."""
    path = _path(places, host)
    if path is None:
        return Kept()
    data = state.load_json(path)
    if data is None or data.get("instance") != state.load_guest(places).instance:
        return Kept()
    try:
        now, before = _pair(data["now"]), _pair(data["before"])
        return Kept(now, before, str(data["by"]))
    except (KeyError, TypeError):
        raise Unreachable(why="it has other fields") from None


def save(places: Places, host: Host, kept: Kept) -> None:
    """Durable when this returns."""
    path = _path(places, host)
    if path is None:
        raise Unreachable(why="there is no place for it yet")
    files.directory(path.parent)
    data = {"instance": state.load_guest(places).instance, **dataclasses.asdict(kept)}
    state.save_json(path, data)


def _path(places: Places, host: Host) -> pathlib.Path | None:
    """None before there is a volume. On the root, where there will be none."""
    course = state.load_course(places)
    data = state.load_guest(places).data
    if course.volume is not None and not host.is_mount(data):
        raise Unreachable(why="the volume is not mounted")
    if course.volume is None and not course.prepared:
        return None
    return pathlib.Path(data) / FOLDER / FILE


def _pair(data: dict[str, typing.Any] | None) -> Pair | None:
    if data is None:
        return None
    pair = Pair(**data)
    if pair.mode not in MODES:
        raise Unreachable(why="it has no mode")
    return pair
