# SPDX-License-Identifier: Apache-2.0
"""A unit's failures are told in the engine's own words, without secrets."""

import pytest

from trove import errors
from trove.datastores.places import Places
from trove.datastores.unit import Unit, scrub


@pytest.fixture
def unit(host):
    return Unit(host, "x.service", "/x.service", r"FATAL")


HERE = Places("/srv/x", "/etc/x", "/run/x", "/x.service")


def test_a_database_never_starts_on_an_empty_mount_point(host, unit):
    """Once its data were on a volume, they are looked for nowhere else."""
    unit.install("X", HERE, "nobody", "ExecStart=/bin/x")
    assert "RequiresMountsFor=/srv/x/data\n" in host.files["/x.service"]
    assert "AssertPathIsDirectory=/srv/x/data\n" in host.files["/x.service"]
    assert "AssertPathIsMountPoint" not in host.files["/x.service"]
    host.mounts.add("/srv/x")
    for _ in range(2):
        unit.install("X", HERE, "nobody", "ExecStart=/bin/x", "Conflicts=y\n")
        assert "\nAssertPathIsMountPoint=/srv/x\n" in host.files["/x.service"]
        assert "\nConflicts=y\n" in host.files["/x.service"]
        host.mounts.clear()


@pytest.mark.parametrize(
    "state, up", [("active", True), ("activating", True), ("failed", False)]
)
def test_what_is_running(host, unit, state, up):
    host.state = state
    assert unit.running is up


def test_what_systemd_will_start_again_does_not_run(host, unit):
    """It can be told nothing; what is written down counts when it starts."""
    host.state, host.result = "activating", "exit-code"
    assert not unit.running


@pytest.mark.parametrize("action", ["start", "stop", "restart"])
def test_a_failure_repeats_the_last_error_line(host, unit, action):
    host.broken, host.state = True, "failed"
    host.log = "FATAL: first\nFATAL: second\nLOG: bye\n"
    with pytest.raises(errors.EngineFailed, match="FATAL: second"):
        getattr(unit, action)()


def test_an_error_of_before_its_start_is_none_of_it(host, unit):
    """As those that PostgreSQL writes of whom it served when it is stopped."""
    host.broken, host.result = True, "exit-code"
    host.log = f"FATAL: terminating connection\n{host.started}bad option\n"
    with pytest.raises(errors.EngineFailed, match="wrote last: bad option$"):
        unit.restart()


def test_a_failure_without_words_says_what_systemd_said(host, unit):
    host.broken = True
    with pytest.raises(errors.EngineFailed, match="it failed"):
        unit.start()


def test_a_failure_without_an_error_line_says_how_it_ended_and_its_last_words(
    host, unit
):
    host.broken, host.result = True, "exit-code"
    host.log = "LOG: begins\nbad option\n\n"
    words = "the database ended with an error; it wrote last: bad option$"
    with pytest.raises(errors.EngineFailed, match=words):
        unit.start()


def test_who_was_not_begun_wrote_nothing_of_it(host, unit):
    """The last line is then of an earlier life. Nor does a user read this journal."""
    host.broken = True
    host.log = "FATAL: terminating connection\nLOG: shut down\n"
    host.words = (
        "Assertion failed on job for x.service.\n"
        'See "systemctl status x.service" and "journalctl -xeu x" for details.\n'
    )
    with pytest.raises(errors.EngineFailed, match=r"job for x\.service\.$"):
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


@pytest.mark.parametrize("state", ["failed", "activating"])
@pytest.mark.parametrize(
    "result, word", [("oom-kill", "memory"), ("signal", "signal"), ("core-dump", "c")]
)
def test_how_it_ended_is_said_also_while_it_waits_to_be_started(
    host, unit, state, result, word
):
    """T14: which, not only that."""
    host.state, host.result = state, result
    found = unit.silent("no answer")
    assert found.state == "crashed"
    assert word in found.why


def test_what_is_made_of_a_password_is_taken_out():
    text = f"near '*{'A' * 40}' and\n 'SCRAM-SHA-256$4096:abc$d:e' x"
    assert scrub(text) == "near '***' and '***' x"
    assert scrub(f"modifier '#{'a1' * 32}'") == "modifier '***'"
    assert len(scrub("y" * 5000)) == 400
