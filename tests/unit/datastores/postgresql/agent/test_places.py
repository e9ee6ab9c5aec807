# SPDX-License-Identifier: Apache-2.0
"""Where PostgreSQL's files are."""

from trove.datastores.postgresql.agent.places import major, places, programs
from trove.datastores.protocol import Ran


def test_the_data_are_below_the_volume_and_not_its_root(host):
    here = places(host)
    for path in (here.data, here.data_unfinished):
        assert path.startswith(here.volume + "/")


def test_its_programs_are_those_of_the_newest_that_is_installed(host):
    host.answers["ls"] = Ran(0, "9\n15\nlost+found\n17\n", "")
    assert programs(host) == "/usr/lib/postgresql/17/bin"
    assert major(host) == 17
