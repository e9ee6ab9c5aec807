# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/files.py: whole writes, and no way through a link."""

import os
import stat

import pytest

from trove.guestagent import files


def test_a_write_is_whole_private_and_leaves_nothing_beside_it(tmp_path):
    files.write(tmp_path / "a", "one")
    files.write(tmp_path / "a", b"two", mode=0o640)
    assert files.read(tmp_path / "a") == b"two"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["a"]


def test_a_failed_write_leaves_the_old_content_and_no_leftover(tmp_path):
    files.write(tmp_path / "a", "old")
    with pytest.raises(KeyError):
        files.write(tmp_path / "a", "new", owner="nobody-of-that-name")
    assert files.text(tmp_path / "a") == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_link_at_the_target_is_replaced_and_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "a").symlink_to(victim)
    files.write(tmp_path / "a", "mine")
    assert victim.read_text() == "precious"
    assert not (tmp_path / "a").is_symlink()
    assert files.text(tmp_path / "a") == "mine"


@pytest.mark.parametrize(
    "act",
    [
        lambda path: files.write(path / "a", "x"),
        lambda path: files.read(path / "a"),
        lambda path: files.directory(path / "a"),
        lambda path: files.remove(path / "a"),
        lambda path: files.remove_tree(path / "a"),
        lambda path: files.rename(path / "a", path / "b"),
    ],
)
def test_a_link_on_the_way_is_refused(tmp_path, act):
    real = tmp_path / "real"
    real.mkdir()
    (real / "a").write_text("precious")
    (tmp_path / "link").symlink_to(real)
    with pytest.raises(files.UnsafePath):
        act(tmp_path / "link")
    assert (real / "a").read_text() == "precious"
    assert os.listdir(real) == ["a"]


def test_a_link_is_not_read_through(tmp_path):
    (tmp_path / "secret").write_text("precious")
    (tmp_path / "a").symlink_to(tmp_path / "secret")
    with pytest.raises(files.UnsafePath):
        files.read(tmp_path / "a")


def test_a_pipe_does_not_hold_the_reader(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(files.UnsafePath):
        files.read(tmp_path / "pipe")


def test_a_file_over_its_bound_is_not_read(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 11)
    assert files.read(tmp_path / "a", 11) == b"x" * 11
    with pytest.raises(files.UnsafePath):
        files.read(tmp_path / "a", 10)


def test_a_relative_path_and_dots_are_refused(tmp_path):
    for path in ("a", f"{tmp_path}/../a"):
        with pytest.raises(files.UnsafePath):
            files.write(path, "x")


def test_a_directory_is_made_with_those_above_it_and_corrected(tmp_path):
    (tmp_path / "open").mkdir(mode=0o777)
    files.directory(tmp_path / "open" / "b" / "c", mode=0o700)
    files.directory(tmp_path / "open", mode=0o700)
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "open/b").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "open/b/c").stat().st_mode) == 0o700


def test_a_link_where_a_directory_shall_be_is_refused(tmp_path):
    (tmp_path / "real").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(files.UnsafePath):
        files.directory(tmp_path / "link", mode=0o700)
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o755


def test_a_tree_is_removed_and_a_link_in_it_not_followed(tmp_path):
    (tmp_path / "keep").mkdir()
    (tmp_path / "keep/a").write_text("precious")
    (tmp_path / "tree/b").mkdir(parents=True)
    (tmp_path / "tree/b/link").symlink_to(tmp_path / "keep")
    files.remove_tree(tmp_path / "tree")
    files.remove_tree(tmp_path / "tree")
    files.remove_tree(tmp_path / "nothing/at/all")
    assert os.listdir(tmp_path) == ["keep"]
    assert (tmp_path / "keep/a").read_text() == "precious"


def test_a_rename_does_not_replace(tmp_path):
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("2")
    with pytest.raises(FileExistsError):
        files.rename(tmp_path / "a", tmp_path / "b")
    files.rename(tmp_path / "a", tmp_path / "c")
    assert (tmp_path / "c").read_text() == "1"
    assert (tmp_path / "b").read_text() == "2"


def test_same_asks_for_content_mode_and_owner(tmp_path):
    me = "root" if os.geteuid() == 0 else None
    if me is None:
        pytest.skip("needs root: files of root are compared")
    files.write(tmp_path / "a", "x", mode=0o600)
    assert files.same(tmp_path / "a", b"x", 0o600, "root")
    assert not files.same(tmp_path / "a", b"y", 0o600, "root")
    assert not files.same(tmp_path / "a", b"x", 0o644, "root")
    assert not files.same(tmp_path / "a", b"x", 0o600, "nobody")
    assert not files.same(tmp_path / "b", b"x", 0o600, "root")
