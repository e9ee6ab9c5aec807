# SPDX-License-Identifier: Apache-2.0
"""What one version of an engine says, on the volume, for another version to take.

It lies beside a copy of the data as they were (``keeps.py``). It goes when the other
version has taken it, and with the copy at the latest: that stays until the instance's
owner does without it.
"""

import typing

from trove.datastores.protocol import Engine
from trove.guestagent.host import Host
from trove.guestagent.keeps import Keeps


def unload(engine: Engine, host: Host, volume: str, name: str) -> None:
    """All that the engine says; whole when it has its name, and then not made again."""
    there = Keeps(host, volume).carried(name)
    if host.exists(there):
        return
    unfinished = f"{there}-unfinished"
    engine.unload(unfinished)
    host.run(["sync", "--file-system", unfinished], timeout=600)
    host.rename(unfinished, there)


def load(
    engine: Engine,
    host: Host,
    volume: str,
    name: str,
    user: str,
    initialise: typing.Callable[[], None],
) -> None:
    """A new data directory has all of it, from its beginning.

    Nothing is made way for unless the copy of what was is whole.
    """
    keeps = Keeps(host, volume)
    keeps.make_way(name)
    keeps.hand_over(name, user)
    initialise()
    engine.load(keeps.carried(name))
