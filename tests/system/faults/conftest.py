# SPDX-License-Identifier: Apache-2.0
"""One laboratory for all that happens to real processes; whole again for each test."""

import itertools
import os
import shutil
import typing

import pytest

from tests.functional.suite.client import Client
from tests.system.faults.lab import Lab
from trove.localcloud import rabbitmq

LONG = "TROVE_LONG" in os.environ or os.environ.get("TROVE_CHAOS") == "all"
"""Every point and every fault, rather than some of each."""


@pytest.fixture(scope="package", name="whole")
def made_once() -> typing.Iterator[Lab]:
    if os.geteuid() != 0 or not os.path.exists(rabbitmq.SERVER):
        pytest.skip("needs root and rabbitmq-server")
    if shutil.which("mariadb-install-db") is None:
        pytest.skip("needs mariadb-server")
    lab = Lab()
    try:
        lab.start()
        yield lab
        found = lab.managed("audit", allowed=(0, 3))
        assert found.returncode == 0, found.stdout
    finally:
        lab.stop()


@pytest.fixture
def lab(whole: Lab) -> typing.Iterator[Lab]:
    """Everything runs; afterwards the audit is clean and nothing was made twice."""
    whole.heal()
    yield whole
    whole.heal()
    assert whole.audit() == []
    assert whole.hands.twice() == []
    assert whole.hands.faults() == []


_numbers = itertools.count(1)


@pytest.fixture
def user(lab: Lab) -> Client:
    """A member of a project that nobody else uses."""
    return lab.client(f"project{next(_numbers):04}")
