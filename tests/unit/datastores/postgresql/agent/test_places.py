# SPDX-License-Identifier: Apache-2.0
"""Where PostgreSQL's files are."""

from trove.datastores.postgresql.agent.places import places


def test_the_data_are_below_the_volume_and_not_its_root(host):
    here = places(host)
    for path in (here.data, here.data_unfinished):
        assert path.startswith(here.volume + "/")
