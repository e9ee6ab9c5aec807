# SPDX-License-Identifier: Apache-2.0
"""What pg_amcheck finds is no database."""

import contextlib

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


def test_of_anothers_data_nothing_is_left_that_was_his_servers_alone(host, tool):
    """His process is none of this machine's, and his slots would hold the log."""
    data = places(host).data
    slot, pid = f"{data}/pg_replslot", f"{data}/postmaster.pid"
    host.files |= {slot: "his", pid: "1", f"{data}/PG_VERSION": "15"}
    tool.taken_over()
    assert pid not in host.files and host.files[slot] == ""
    assert f"{data}/PG_VERSION" in host.files


def test_a_checkpoint_comes_before_a_snapshot(tool, talk, monkeypatch):
    monkeypatch.setattr(backups, "talk", lambda *_: contextlib.nullcontext(talk))
    tool.settle()
    assert talk.said == ["CHECKPOINT"]
