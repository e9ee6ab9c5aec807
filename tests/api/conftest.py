# SPDX-License-Identifier: Apache-2.0
"""A fresh API for each test, and an ear for what is asked of it."""

import typing
from collections.abc import Iterator

import pytest

from tests.api.world import World
from tests.covered import recorder, table


@pytest.fixture
def world(tmp_path: typing.Any) -> Iterator[World]:
    """The API, its database, its cloud."""
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def covering(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that the table of routes names does what is said of it there."""
    recorder.take()
    yield
    heard = recorder.take()
    table.record(request.node.nodeid, heard)
    assert table.missed(request.node.nodeid, heard, table.kept()) == []
