# SPDX-License-Identifier: Apache-2.0
"""An increment needs a note of all that was written; a chain, room beside it."""

import pytest

from trove import errors
from trove.datastores.postgresql.agent import chains
from trove.datastores.protocol import Ran
from trove.datastores.saving import NoIncrement

WORDS = {"timeline": "1", "begin": "0/2000028"}
BEGIN = 0x2000028
LINKS = ("/w/0", "/w/1")


class Server:
    """What one says of its notes."""

    def __init__(self, on=True, timeline=1, reached=0x5000000, summaries=()):
        self.state = [(on, timeline, reached)]
        self.summaries = list(summaries)

    def rows(self, statement, within):
        return self.summaries if "pg_available_wal" in statement else self.state


@pytest.mark.parametrize(
    ("reached", "summaries"),
    [
        (0x5000000, [(0x1000028, 0x3000000), (0x3000000, 0x5000000)]),
        (0x5000000, [(BEGIN, 0x5000000)]),
        # two that overlap, after a crash between the end of one and the next
        (0x5000000, [(0x1000028, 0x4000000), (0x2000028, 0x5000000)]),
        # nothing is noted yet of what came after it: the server waits for itself
        (BEGIN, [(0x1000028, BEGIN)]),
        (None, []),
    ],
)
def test_all_of_the_time_since_is_noted(reached, summaries):
    chains.check(Server(reached=reached, summaries=summaries), WORDS)


@pytest.mark.parametrize(
    ("server", "why"),
    [
        (Server(on=False), "summarize_wal"),
        (Server(timeline=2), "timeline 2"),
        (Server(), "of some of the time"),
        (Server(summaries=[(0x3000000, 0x5000000)]), "of some of the time"),
        (
            Server(summaries=[(0x1000028, 0x3000000), (0x3000001, 0x5000000)]),
            "of some of the time",
        ),
        (Server(summaries=[(0x1000028, 0x4000000)]), "of some of the time"),
    ],
)
def test_some_of_it_is_not(server, why):
    with pytest.raises(NoIncrement, match=f"{why}.* must be full"):
        chains.check(server, WORDS)


@pytest.mark.parametrize("begin", ["", "0", "0/", "'; DROP", "0/123456789"])
def test_where_it_began_is_a_place(begin):
    with pytest.raises(NoIncrement, match="where in the log"):
        chains.check(Server(), WORDS | {"begin": begin})


@pytest.fixture
def machine(host):
    """A volume with 100 MiB left, and links of 90 MiB and of 20."""
    host.answers["du"] = Ran(0, "90\t/w/0\n20\t/w/1\n", "")
    host.answers["df"] = Ran(0, "Avail\n  100\n", "")
    return host


def test_a_volume_without_room_is_told_before(machine):
    machine.answers["cp"] = Ran(1, "", "Operation not supported")
    with pytest.raises(errors.EngineFailed, match="110 MiB .* 100 MiB left"):
        chains.combine(machine, LINKS, "/w/whole")
    assert "pg_combinebackup as postgres" not in machine.deeds


def test_where_files_share_blocks_the_increments_alone_need_room(machine):
    machine.answers["du"] = Ran(0, "20\t/w/1\n", "")
    chains.combine(machine, LINKS, "/w/whole")
    assert machine.deeds[-1] == "pg_combinebackup as postgres"


def test_what_the_tool_says_is_told(machine):
    machine.answers["du"] = Ran(0, "1\t/w/0\n", "")
    said = "pg_combinebackup: error: backup at /w/1 starts at LSN 0/9, but expected 0/2"
    machine.answers["pg_combinebackup"] = Ran(1, "", said)
    with pytest.raises(errors.EngineFailed, match="starts at LSN"):
        chains.combine(machine, LINKS, "/w/whole")
