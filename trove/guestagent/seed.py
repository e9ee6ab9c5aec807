# SPDX-License-Identifier: Apache-2.0
"""The guest's first configuration: found where a cloud leaves it, and erased after use.

User data is ``#cloud-config`` and JSON. Where cloud-init runs it writes the files;
where not, the agent does, and it writes the two files it knows and no other, whatever
the user data asks for.
"""

import configparser
import contextlib
import io
import json
import logging
import pathlib
import typing

from trove import errors
from trove.guestagent import files
from trove.guestagent.disks import Disks
from trove.guestagent.host import Host
from trove.guestagent.places import Places

LOG = logging.getLogger(__name__)

HEAD = "#cloud-config\n"
LIMIT = 65536
"""User data is never larger in any cloud we know."""

DRIVE_LABEL = "config-2"


class SeedError(errors.Internal):
    """The user data is not what this agent is given."""

    sentence = "The user data cannot be used: {why}."


def parse(user_data: bytes) -> dict[str, str]:
    """The files that user data asks for, by path."""
    try:
        text = user_data.decode()
    except UnicodeDecodeError:
        raise SeedError(why="it is not UTF-8") from None
    if len(user_data) > LIMIT:
        raise SeedError(why=f"it is longer than {LIMIT} bytes")
    if not text.startswith(HEAD):
        raise SeedError(why=f"it does not begin with {HEAD.strip()}")
    try:
        data = json.loads(text[len(HEAD) :])
    except (ValueError, RecursionError):
        raise SeedError(why="it is not JSON") from None
    wanted = data.get("write_files") if isinstance(data, dict) else None
    if not isinstance(wanted, list):
        raise SeedError(why="it has no list of files")
    found: dict[str, str] = {}
    for entry in wanted:
        path = entry.get("path") if isinstance(entry, dict) else None
        content = entry.get("content") if isinstance(entry, dict) else None
        if not isinstance(path, str) or not isinstance(content, str):
            raise SeedError(why="a file in it has no path or no content")
        found[path] = content
    return found


def lay_out(user_data: bytes, places: Places) -> None:
    """Writes the guest's configuration and the broker's CA; nothing else, ever."""
    found = parse(user_data)
    known = {"/etc/trove/guest.conf": places.conf}
    known["/etc/trove/broker-ca.pem"] = places.broker_ca
    if "/etc/trove/guest.conf" not in found:
        raise SeedError(why="it has no configuration for this agent")
    for path in sorted(found.keys() - known.keys()):
        LOG.warning("user data names a file that is not ours: %r", path[:200])
    files.directory(places.etc, mode=0o755)
    # The configuration comes last: once it is there, the seed is not read again
    for path in sorted(found.keys() & known.keys()):
        files.write(known[path], found[path])


def find(places: Places, host: Host, disks: Disks) -> None:
    """Puts the configuration into its place, from wherever it is.

    Raises ``SeedError`` when there is none, so that systemd tries again later.
    """
    if files.text(places.conf) is not None:
        return
    with contextlib.suppress(FileNotFoundError):
        lay_out(files.read(places.seed, LIMIT), places)
        return
    user_data = _from_drive(places, host, disks)
    if user_data is None:
        raise SeedError(why="there is none yet")
    lay_out(user_data, places)


def _from_drive(places: Places, host: Host, disks: Disks) -> bytes | None:
    """The user data on a config drive, mounted read-only for a moment."""
    device = disks.labelled(DRIVE_LABEL)
    if device is None:
        return None
    host.make_directory(places.drive, mode=0o700)
    point = str(places.drive)
    host.run(["mount", "-o", "ro,nodev,nosuid,noexec", "--", device, point])
    try:
        return files.read(places.drive / "openstack/latest/user_data", LIMIT)
    except FileNotFoundError:
        return None
    finally:
        disks.unmount(point)


def forget(places: Places) -> None:
    """Takes the bootstrap password off this machine; it is of no use any more."""
    content = files.text(places.conf)
    if content is not None:
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        parser.optionxform = str  # type: ignore[assignment, method-assign]
        try:
            parser.read_string(content)
        except configparser.Error:
            raise SeedError(why="the configuration is no ini file") from None
        if parser.get("broker", "password", fallback=""):
            parser.set("broker", "password", "")
            fresh = io.StringIO()
            parser.write(fresh)
            files.write(places.conf, fresh.getvalue())
    for copy in _copies(places):
        try:
            files.remove(copy)
        except (OSError, errors.TroveError) as error:
            LOG.warning("user data stays in %s: %s", copy, error)


def _copies(places: Places) -> typing.Iterator[pathlib.Path]:
    """Where cloud-init and the cloud keep user data."""
    yield places.seed
    names = ("user-data.txt", "user-data.txt.i", "cloud-config.txt", "obj.pkl")
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for server in sorted((places.cloud / "instances").iterdir()):
            for name in names:
                yield server / name
