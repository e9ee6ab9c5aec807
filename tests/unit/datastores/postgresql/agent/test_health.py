# SPDX-License-Identifier: Apache-2.0
"""The pulse of a PostgreSQL that is not there; the living ones are in the contract."""

import pytest

from trove.datastores.postgresql.agent.health import Probe
from trove.datastores.pulse import Pulse
from trove.datastores.unit import Unit


@pytest.mark.parametrize(
    "state, service",
    [("inactive", "stopped"), ("failed", "crashed"), ("active", "running")],
)
def test_no_answer_is_told_by_the_state_of_the_unit(host, tmp_path, state, service):
    host.state = state
    pulse = Pulse(Probe(str(tmp_path), 1), Unit(host, "x.service", "/x", "x"))
    assert pulse.take().state == service
