# SPDX-License-Identifier: Apache-2.0
"""The conductor's bell: one that nobody hears costs a poll, never a report."""

import logging

import pytest

from trove import errors
from trove.cmd import conductor


def test_a_bell_that_is_not_heard_is_logged(caplog):
    def broken(operation):
        raise errors.Unavailable(what="trove-taskmanager")

    with caplog.at_level(logging.WARNING):
        conductor.doorbell(broken)("op-1")
    assert "op-1" in caplog.text


def test_a_bell_rings():
    rung = []
    conductor.doorbell(rung.append)("op-1")
    assert rung == ["op-1"]


def test_a_mistake_of_ours_is_not_hidden():
    def wrong(operation):
        raise TypeError("a mistake")

    with pytest.raises(TypeError):
        conductor.doorbell(wrong)("op-1")
