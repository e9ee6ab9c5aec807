# SPDX-License-Identifier: Apache-2.0
"""A bell that fails is heard of in the log and nowhere else."""

import logging

import pytest

from tests.api.world import World
from trove.actions.services import Services, Settings


def test_a_broken_bell(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def broken(operation: str) -> None:
        raise LookupError("nobody there")

    services = Services(world.database, world.cloud, broken)
    with caplog.at_level(logging.WARNING):
        services.ring("op-1")
    assert "operation op-1: nobody was told" in caplog.text


def test_pages_of_what_nobody_sized() -> None:
    assert Settings().page_size("instances") == 20
    assert Settings(page_sizes={"instances": 5}).page_size("instances") == 5
