# SPDX-License-Identifier: Apache-2.0
"""Where MySQL's files are."""

from trove.datastores.mysql.agent.places import places


def test_the_data_are_below_the_volume_and_not_its_root(host):
    here = places(host)
    for path in (here.data, here.data_unfinished, here.binlogs, here.temporary):
        assert path.startswith(here.volume + "/")
