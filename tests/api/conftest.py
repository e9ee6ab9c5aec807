# SPDX-License-Identifier: Apache-2.0
"""A fresh API for each test."""

import typing
from collections.abc import Iterator

import pytest

from tests.api.world import World


@pytest.fixture
def world(tmp_path: typing.Any) -> Iterator[World]:
    """The API, its database, its cloud."""
    made = World(tmp_path)
    yield made
    made.close()
