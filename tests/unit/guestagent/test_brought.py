# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/brought.py: on the volume, root's alone, one step back."""

import dataclasses
import os
import stat

import pytest

from trove.guestagent import brought, files, state
from trove.guestagent.brought import Kept, Pair
from trove.guestagent.disks import Volume

ONE, TWO = Pair("mtls", "key one", "ca"), Pair("basic", "key two", "ca")


@pytest.fixture
def prepared(guest, places, toy):
    toy.data.mkdir()
    state.save_course(places, state.Course(prepared=True))
    return guest


def test_before_there_is_a_place_nothing_was_brought(guest, places, host):
    assert brought.load(places, host) == Kept()
    with pytest.raises(brought.Unreachable, match="no place"):
        brought.save(places, host, Kept(ONE))


def test_what_is_saved_is_found_and_is_roots_alone(prepared, places, host, toy):
    assert brought.load(places, host) == Kept()
    for kept in (Kept(ONE, None, "j"), Kept(TWO, ONE, "k"), Kept()):
        brought.save(places, host, kept)
        assert brought.load(places, host) == kept
    folder = toy.data / brought.FOLDER
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(folder / brought.FILE).st_mode) == 0o600


def test_what_was_brought_to_another_instance_is_not_ours(prepared, places, host):
    """A volume may be a copy of another's."""
    brought.save(places, host, Kept(ONE))
    state.save_guest(places, dataclasses.replace(prepared, instance="another"))
    assert brought.load(places, host) == Kept()


def test_without_the_volume_nobody_says_that_there_is_nothing(prepared, places, host):
    brought.save(places, host, Kept(ONE))
    volume = Volume("uuid", "label", "xfs", made=True)
    state.save_course(places, state.Course(volume, prepared=True))
    for ask in (brought.load, lambda *a: brought.save(*a, Kept())):
        with pytest.raises(brought.Unreachable, match="not mounted"):
            ask(places, host)


@pytest.mark.parametrize("mode, by", [("odd", "j"), ("mtls", None)])
def test_a_file_of_another_shape_is_not_believed(prepared, places, host, mode, by):
    brought.save(places, host, Kept(Pair(mode, "p", "c")))
    if by is None:
        path = places.state.parent / "toy/data" / brought.FOLDER / brought.FILE
        data = state.load_json(path)
        del data["by"]
        state.save_json(path, data)
    with pytest.raises(brought.Unreachable):
        brought.load(places, host)


def test_a_link_is_not_followed(prepared, places, host, toy, tmp_path):
    (toy.data / brought.FOLDER).symlink_to(tmp_path)
    with pytest.raises(files.UnsafePath):
        brought.load(places, host)


def test_a_step_and_a_step_back():
    first = Kept().taking(ONE, "a")
    assert first == Kept(ONE, None, "a")
    assert first.taking(ONE, "b") is first
    second = first.taking(TWO, "b")
    assert second == Kept(TWO, ONE, "b")
    assert second.returning("c") == Kept(ONE, None, "c")
    assert second.returning("c").returning("d") == Kept(None, None, "d")


def test_no_key_is_in_a_repr():
    assert "key one" not in repr(Kept(ONE, ONE))
