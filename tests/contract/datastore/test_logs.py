# SPDX-License-Identifier: Apache-2.0
"""The logs of a running engine: written when they are on, and what is in them."""

import pathlib

import pytest

from tests.contract.datastore.conftest import SIZING
from trove import errors
from trove.datastores import registry


@pytest.fixture
def logged(lab):
    """The lab, whose log is off again afterwards; None: it has none, and says so."""
    if not any(log.name == "general" for log in registry.get(lab.name).logs):
        for deed in (lab.engine.set_log, lab.engine.reopen_log):
            with pytest.raises(errors.NotSupported):
                deed("general", *[True] * (deed == lab.engine.set_log))
        yield None
        return
    lab.account("talker", "talkative", "talkdb")
    yield lab
    lab.engine.set_log("general", False)


def say(lab, words):
    with lab.client.login("talker", "talkative", "talkdb") as run:
        lab.client.say(run, words)


def written(lab):
    source = lab.engine.logs()["general"]
    if source.path is None:
        return lab.machine.service_log(source.unit, 100000)
    path = pathlib.Path(source.path)
    return path.read_text() if path.exists() else ""


def test_every_log_of_the_spec_has_a_source(lab):
    declared = {log.name for log in registry.get(lab.name).logs}
    assert declared == set(lab.engine.logs())


def test_it_is_written_while_it_is_on_also_after_a_restart(logged):
    if (lab := logged) is None:
        return
    say(lab, "said while it is off")
    lab.engine.set_log("general", True)
    say(lab, "said while it is on")
    lab.engine.restart()
    say(lab, "said after a restart")
    lab.engine.set_log("general", False)
    say(lab, "said when it is off again")
    text = written(lab)
    assert "said while it is on" in text
    assert "said after a restart" in text
    assert "said while it is off" not in text
    assert "said when it is off again" not in text


def test_what_the_agent_does_is_not_in_it(logged):
    if (lab := logged) is None:
        return
    lab.engine.set_log("general", True)
    lab.account("unseen", "talkative", "unseendb")
    lab.engine.health()
    say(lab, "seen")
    text = written(lab)
    assert "seen" in text
    assert "unseen" not in text and "trove_internal" not in text


def test_a_file_that_was_moved_away_begins_anew(logged):
    if (lab := logged) is None:
        return
    lab.engine.set_log("general", True)
    source = lab.engine.logs()["general"]
    if source.path is None:
        with pytest.raises(errors.NotSupported):
            lab.engine.reopen_log("general")  # a journal is nobody's to move
        return
    path = pathlib.Path(source.path)
    path.rename(f"{path}.1")
    lab.engine.reopen_log("general")
    say(lab, "said into the new file")
    assert "said into the new file" in path.read_text()


def test_a_group_neither_takes_it_away_nor_is_taken_away_by_it(logged):
    if (lab := logged) is None:
        return
    name, switch, off = lab.client.switched
    group, shown = {switch: off}, lab.client.setting.format(switch)
    lab.engine.set_log(name, True)
    on = lab.client.admin(shown)
    try:
        assert lab.engine.regroup(SIZING, group, 7) == ()
        assert lab.client.admin(shown) == on
        assert lab.engine.regroup(SIZING, {}, 7) == ()
        assert lab.client.admin(shown) == on
    finally:
        lab.engine.set_log(name, False)
    assert lab.client.admin(shown) != on


def test_a_log_that_nobody_switches(lab):
    with pytest.raises(errors.NotSupported):
        lab.engine.set_log("guest", True)
