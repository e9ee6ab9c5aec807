# SPDX-License-Identifier: Apache-2.0
"""A configuration group in a running engine: in force, read back, and taken away."""

import contextlib
import pathlib

import pytest

from tests.contract.datastore.conftest import SIZING
from trove import errors
from trove.datastores import registry
from trove.datastores.protocol import Change


@pytest.fixture
def regrouped(lab):
    """The lab, with a way to give it a group; afterwards it has none, and runs."""
    yield lab
    with contextlib.suppress(errors.TroveError):
        lab.engine.stop()
    lab.configure()
    lab.engine.start()
    lab.engine.keep_group()


def regroup(lab, **group):
    return lab.engine.regroup(SIZING, group, 7)


def at(lab, end):
    """Every parameter at that end, but those of which no machine has it running."""
    return {
        name: lab.end(name, end)
        for name in lab.rules
        if end in lab.client.ends.get(name, ("min", "max"))
    }


def values(lab, names):
    show = lab.client.setting
    return [str(lab.client.admin(show.format(name))[0][0]) for name in names]


def test_what_can_change_is_in_force_at_once_and_taken_away_again(regrouped):
    lab = regrouped
    group = lab.client.live
    before = values(lab, group)
    process = lab.process()
    assert regroup(lab, **group) == ()
    assert values(lab, group) == lab.client.says
    first, *_ = group
    assert regroup(lab, **{first: group[first]}) == ()
    assert values(lab, group) == [lab.client.says[0], before[1]]
    assert regroup(lab) == ()
    assert values(lab, group) == before
    assert lab.process() == process, "nothing was restarted for it"


def test_a_group_outlives_a_restart_and_is_still_taken_away_live(regrouped):
    lab = regrouped
    group = lab.client.live
    before = values(lab, group)
    regroup(lab, **group)
    lab.engine.restart()
    assert values(lab, group) == lab.client.says
    assert regroup(lab) == ()
    assert values(lab, group) == before


def test_what_cannot_change_waits_for_a_restart_and_says_so(regrouped):
    lab = regrouped
    group = lab.client.waiting
    before = values(lab, group)
    assert regroup(lab, **group) == tuple(group)
    assert values(lab, group) == before
    assert regroup(lab, **group) == tuple(group), "it still waits"
    assert regroup(lab) == (), "it is as it was"
    regroup(lab, **group)
    lab.engine.restart()
    assert values(lab, group) != before
    assert regroup(lab, **group) == ()
    assert regroup(lab) == tuple(group), "taken away, it waits again"


def test_each_parameter_changes_live_or_waits_as_its_rule_says(regrouped):
    lab = regrouped
    slow = {name for name, rule in lab.rules.items() if rule["restart_required"]}
    waited = set()
    for end in ("min", "max"):
        waited |= set(regroup(lab, **at(lab, end)))
    assert waited == slow


@pytest.mark.parametrize("end", ["min", "max"])
def test_the_agent_goes_on_whatever_a_group_says(regrouped, end):
    """What users may set bounds them, and not who looks after them: all of it."""
    lab = regrouped
    regroup(lab, **at(lab, end))
    for _ in range(2):
        lab.account("busy", "ClearTextThatMustNotBeThere", "busydb")
    accounts = lab.engine.accounts
    assert "busy" in [user.name for user in accounts.users(100)]
    accounts.change_account("busy", "%", Change(password="AnotherClearText"))
    if lab.can.databases:
        assert "busydb" in accounts.databases(100)
        assert "busydb" in accounts.user("busy").databases
        accounts.revoke("busy", "%", "busydb")
    accounts.enable_root("ClearTextThatMustNotBeThere")
    accounts.disable_root()
    lab.engine.set_read_only(True)
    assert lab.engine.health().state == "read_only"
    lab.engine.set_read_only(False)
    assert lab.engine.health().state == "healthy"
    lab.certify()
    accounts.delete_account("busy")
    if lab.can.databases:
        accounts.delete_database("busydb")


def test_what_the_agent_does_is_in_no_log_that_a_group_switches_on(regrouped):
    lab = regrouped
    regroup(lab, **lab.client.noisy)
    lab.account("noisy", "ClearTextThatMustNotBeThere", "noisydb")
    with lab.client.login("noisy", "ClearTextThatMustNotBeThere", "noisydb") as run:
        lab.client.say(run, "what a tenant says")
    lab.engine.accounts.delete_account("noisy")
    text = lab.machine.service_log(lab.client.unit, 100000)
    volume = pathlib.Path(lab.machine.path(registry.get(lab.name).data))
    text += "".join(path.read_text() for path in volume.rglob("*slow.log"))
    text += lab.client.slow()
    assert "what a tenant says" in text
    assert "ClearText" not in text
    for word in ("CREATE USER", "CREATE ROLE", "SCRAM", "DROP ROLE", "DROP USER"):
        assert word not in text


def test_a_number_is_rounded_as_in_a_file(regrouped):
    """MariaDB counts in blocks; at its prompt it refuses what is no multiple of one."""
    lab = regrouped
    odd = lab.client.rounded
    assert regroup(lab, **{odd: 20_000_001}) == ()
    live = values(lab, [odd])
    lab.engine.restart()
    assert values(lab, [odd]) == live


def test_what_the_engine_refuses_changes_nothing(regrouped):
    lab = regrouped
    group = lab.client.live
    regroup(lab, **group)
    evil = lab.client.refused
    with pytest.raises(errors.TroveError):
        regroup(lab, **{**group, next(iter(group)): 123, **evil})
    assert values(lab, group) == lab.client.says
    lab.engine.restart()
    assert values(lab, group) == lab.client.says


@contextlib.contextmanager
def unstartable(lab):
    """By its group; or by its key, where no group can."""
    if lab.client.breakable:
        yield
        return
    key = next(lab.machine.root.glob("etc/**/server.pem"))
    text = key.read_text()
    key.write_text("no key")
    try:
        yield
    finally:
        key.write_text(text)


def test_an_engine_that_cannot_start_with_it_returns_to_what_was(regrouped):
    lab = regrouped
    group = lab.client.live
    regroup(lab, **group)
    lab.engine.stop()
    assert regroup(lab, **lab.client.fatal) == ()
    with unstartable(lab), pytest.raises(errors.EngineFailed):
        lab.engine.start()
    assert lab.engine.retreat()
    lab.engine.start()
    lab.engine.keep_group()
    assert values(lab, group) == lab.client.says
    assert not lab.engine.retreat(), "it is well with what it has"
