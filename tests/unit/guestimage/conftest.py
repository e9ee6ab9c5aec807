# SPDX-License-Identifier: Apache-2.0
"""A host that records what it is asked."""

import pytest

from tests.unit.localcloud.conftest import RecordingHost


@pytest.fixture
def host():
    return RecordingHost()
