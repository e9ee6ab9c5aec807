# SPDX-License-Identifier: Apache-2.0
"""Chaos needs a seal key, and nothing else from outside."""

import pytest
from cryptography import fernet

from tests.chaos import store
from trove.db import types

types.use_key(fernet.Fernet.generate_key())


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--seed", type=int, default=None, help="play this seed of the simulation only"
    )


def pytest_sessionfinish() -> None:
    store.discard()  # a worker's end runs no atexit
