# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/datastores/classic/wanting.py: what of a log stays, how long."""

import dataclasses
import json
import os

import pytest

from trove.datastores.classic import wanting
from trove.datastores.mysql.agent.places import places


@pytest.fixture
def here(host, tmp_path):
    return dataclasses.replace(places(host), volume=str(tmp_path))


def test_who_makes_increments_has_their_log(host, here):
    assert wanting.wanted(host, here) is None
    wanting.want(host, here, 3, increment=False)
    wanting.want(host, here, 5, increment=False)
    assert wanting.wanted(host, here) == 5
    wanting.want(host, here, 5, increment=True)
    wanting.want(host, here, 9, increment=False)  # by hand, beside a chain
    assert wanting.wanted(host, here) == 5
    wanting.want(host, here, 9, increment=True)
    assert wanting.wanted(host, here) == 9


def test_what_nobody_came_for_goes(host, here):
    wanting.want(host, here, 3, increment=True)
    said = json.loads(host.files[here.wanted])
    said["at"] -= wanting.LONGEST + 1
    host.files[here.wanted] = json.dumps(said)
    assert wanting.wanted(host, here) is None
    wanting.want(host, here, 9, increment=False)
    assert wanting.wanted(host, here) == 9


def test_a_volume_that_fills_is_not_filled_by_it(host, here, monkeypatch):
    wanting.want(host, here, 3, increment=True)
    found = os.statvfs(here.volume)

    def free(share):
        few = [int(found.f_blocks * share)] * 2
        made = os.statvfs_result((*found[:3], *few, *found[5:]))
        monkeypatch.setattr(os, "statvfs", lambda path: made)

    free(0.11)
    assert wanting.wanted(host, here) == 3
    free(0.09)
    assert wanting.wanted(host, here) is None
