# SPDX-License-Identifier: Apache-2.0
"""A unit's failures are told in the engine's own words, without secrets."""

import pytest

from trove import errors
from trove.datastores.unit import Unit, scrub


@pytest.fixture
def unit(host):
    return Unit(host, "x.service", "/x.service", r"FATAL")


@pytest.mark.parametrize("action", ["start", "stop", "restart"])
def test_a_failure_repeats_the_last_error_line(host, unit, action):
    host.broken = True
    host.log = "FATAL: first\nFATAL: second\nLOG: bye\n"
    with pytest.raises(errors.EngineFailed, match="FATAL: second"):
        getattr(unit, action)()


def test_a_failure_without_words_says_what_systemd_said(host, unit):
    host.broken = True
    with pytest.raises(errors.EngineFailed, match="it failed"):
        unit.start()


@pytest.mark.parametrize(
    "state, service",
    [
        ("inactive", "stopped"),
        ("failed", "crashed"),
        ("activating", "starting"),
        ("active", "running"),
        ("unknown", "running"),
    ],
)
def test_what_a_silent_engine_is(host, unit, state, service):
    host.state = state
    assert unit.silent("no answer").state == service


def test_what_is_made_of_a_password_is_taken_out():
    text = f"near '*{'A' * 40}' and\n 'SCRAM-SHA-256$4096:abc$d:e' x"
    assert scrub(text) == "near '***' and '***' x"
    assert len(scrub("y" * 5000)) == 400
