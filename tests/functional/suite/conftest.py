# SPDX-License-Identifier: Apache-2.0
"""One deployment for the whole run; each test has a project of its own."""

import gc
import itertools

import pytest

from tests.functional.suite.deployment import Deployment, quietly


def pytest_configure(config):
    """More announcements of eventlet's end, which the manual makes once."""
    said = "ignore:Using class 'Green"
    config.addinivalue_line("filterwarnings", said)


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    made = Deployment(tmp_path_factory.mktemp("deployment"))
    made.start()
    yield made
    assert made.stop(), "a part did not end in time"
    del made
    quietly(gc.collect)


@pytest.fixture
def deployment(whole):
    """The deployment; a test that upset a guest by accident fails."""
    yield whole
    faults, whole.fleet.faults = whole.fleet.faults, []
    assert not faults


_numbers = itertools.count(1)


@pytest.fixture
def client(deployment):
    """A member of a project that nobody else uses."""
    return deployment.client(f"project{next(_numbers):04}")
