# SPDX-License-Identifier: Apache-2.0
"""The pulse of a MySQL that is not there, and what is read of one that is."""

import pytest

from trove.datastores.mysql.agent.health import Probe
from trove.datastores.pulse import Pulse
from trove.datastores.unit import Unit


@pytest.mark.parametrize(
    "state, service",
    [("inactive", "stopped"), ("failed", "crashed"), ("active", "running")],
)
def test_no_answer_is_told_by_the_state_of_the_unit(host, tmp_path, state, service):
    host.state = state
    pulse = Pulse(Probe(str(tmp_path / "none")), Unit(host, "x.service", "/x", "x"))
    assert pulse.take().state == service


class Answers:
    """A server that says one row to everything."""

    def __init__(self, row):
        self.row = row

    def rows(self, statement, within):
        return [self.row] if statement.startswith("SELECT") else []


def test_a_position_is_one_line_and_a_version_only_numbers():
    found = Probe("/x").look(Answers((0, "a-1:1-7,\nb-2:1", "9.7.4-2")), lambda: 1.0)
    assert (found.state, found.role) == ("healthy", "source")
    assert (found.position, found.version) == ("a-1:1-7,b-2:1", "9.7.4")


def test_a_server_without_a_transaction_has_no_position():
    found = Probe("/x").look(Answers((1, "", "9.7.4")), lambda: 1.0)
    assert (found.state, found.position) == ("read_only", None)
