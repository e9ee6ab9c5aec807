# SPDX-License-Identifier: Apache-2.0
"""A taskmanager's name in a lease."""

import os

from trove.cmd import taskmanager


def test_the_owner_of_a_lease_is_unique_and_telling():
    first, second = taskmanager.owner_name(), taskmanager.owner_name()
    assert first != second
    assert f":{os.getpid()}:" in first
    assert len(first) < 255
