# SPDX-License-Identifier: Apache-2.0
"""What pg_amcheck finds is no database."""

import pytest

from trove import errors
from trove.datastores.postgresql.agent import backups
from trove.datastores.postgresql.agent.places import places
from trove.datastores.protocol import Ran


@pytest.fixture
def tool(host):
    host.files["/usr/lib/postgresql/15/bin/pg_amcheck"] = ""
    return backups.Tool(host, places(host), 5432)


def test_what_is_well_is_said_with_nothing(tool):
    tool.check()


@pytest.mark.parametrize(
    "ran",
    [
        Ran(2, 'heap table "shop.public.goods", block 3:\n  xmin is wrong', ""),
        Ran(1, "", "pg_amcheck: error: connection failed: shop.public.goods"),
    ],
)
def test_what_is_sick_is_told(host, tool, ran):
    host.answers["pg_amcheck"] = ran
    with pytest.raises(errors.EngineFailed, match="shop.public.goods"):
        tool.check()
