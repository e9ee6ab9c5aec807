# SPDX-License-Identifier: Apache-2.0
"""What the guest knows of itself on disk: what it is, how far it came, its boots.

Each file has one writer: ``guest.json`` the agent, ``course.json`` the job that runs.
So neither has to lock, and a job that outlives an agent cannot be overwritten by it.
"""

import dataclasses
import json
import pathlib
import time
import typing

from trove import errors
from trove.guestagent import files
from trove.guestagent.disks import Volume
from trove.guestagent.places import Places


class StateError(errors.Internal):
    """A file of the guest's state does not say what it must."""

    sentence = "The guest's state in {path} cannot be read: {why}."


@dataclasses.dataclass(frozen=True, slots=True)
class Guest:
    """What this guest is: its instance, and the datastore's own facts.

    ``agent`` is the module with ``engine(host)``; ``data`` where the volume belongs;
    ``user`` whom the engine runs as.
    """

    instance: str
    datastore: str
    agent: str
    data: str
    user: str


@dataclasses.dataclass(frozen=True, slots=True)
class Course:
    """How far the guest has come, and what it is to do after a start.

    ``run``: the engine shall be running. ``prepared``: the plan was carried out.
    ``loaded``: the copy whose data were carried over into this version.
    """

    volume: Volume | None = None
    run: bool = False
    prepared: bool = False
    loaded: str = ""


def load_json(path: pathlib.Path) -> dict[str, typing.Any] | None:
    """A JSON object from a file, or None when there is no such file."""
    content = files.text(path)
    if content is None:
        return None
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise StateError(path=path, why="it is not JSON") from None
    if not isinstance(data, dict):
        raise StateError(path=path, why="it is not an object")
    return data


def save_json(path: pathlib.Path, data: dict[str, typing.Any]) -> None:
    """Writes a JSON object, 0600, in one durable move."""
    files.write(path, json.dumps(data, indent=1, sort_keys=True) + "\n")


def load_guest(places: Places) -> Guest:
    """What the agent wrote at its start."""
    data = load_json(places.guest)
    if data is None:
        raise StateError(path=places.guest, why="there is none")
    try:
        return Guest(**data)
    except TypeError:
        raise StateError(path=places.guest, why="it has other fields") from None


def save_guest(places: Places, guest: Guest) -> None:
    """Written at each start: a new image may keep the same datastore elsewhere."""
    save_json(places.guest, dataclasses.asdict(guest))


def load_course(places: Places) -> Course:
    """How far the guest came; the beginning if nothing is written."""
    data = load_json(places.course)
    if data is None:
        return Course()
    try:
        volume = Volume(**data["volume"]) if data.get("volume") else None
        loaded = str(data.get("loaded", ""))
        return Course(volume, bool(data["run"]), bool(data["prepared"]), loaded)
    except (TypeError, KeyError):
        raise StateError(path=places.course, why="it has other fields") from None


def save_course(places: Places, course: Course) -> None:
    """Durable when this returns."""
    save_json(places.course, dataclasses.asdict(course))


def next_boot(places: Places, clock: typing.Callable[[], float] = time.time) -> int:
    """Counts this start of the agent; the number only ever grows.

    It begins with the time, so that a server that is built anew comes after itself.
    """
    content = files.text(places.boot)
    try:
        boot = int(content) + 1 if content is not None else int(clock())
    except ValueError:
        boot = int(clock())  # more than any number of starts there can have been
    files.write(places.boot, f"{boot}\n")
    return boot
