# SPDX-License-Identifier: Apache-2.0
"""A vault in a directory: nothing outside, nothing half, nothing left over."""

import os

import pytest

from trove import errors
from trove.storage.vault import files
from trove.storage.vault.directory import Directory


@pytest.fixture
def home(tmp_path):
    path = tmp_path / "vault"
    path.mkdir()
    return path


@pytest.fixture
def vault(home):
    return Directory(str(home))


def names(vault, prefix=""):
    return [one.name for one in vault.listed(prefix)]


def test_a_directory_that_is_not_there_is_never_made(vault, home):
    """A file system that is not mounted is no empty one."""
    home.rmdir()
    for call in (
        vault.ensure,
        lambda: vault.put("a/1", b"x"),
        lambda: vault.writes("a/1", 60),
        lambda: vault.get("a/1", 1),
        lambda: list(vault.listed("")),
        lambda: vault.delete(["a/"]),
    ):
        with pytest.raises(errors.Unavailable):
            call()
    assert not home.exists()


def test_a_link_to_the_directory_is_the_operators(home, tmp_path):
    (tmp_path / "link").symlink_to(home)
    vault = Directory(str(tmp_path / "link"))
    vault.put("a/1", b"x")
    assert vault.reads("a/1", 60).url == f"file://{home}/a/1"
    assert names(vault) == ["a/1"]


def test_no_link_below_it_is_followed(vault, home, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "1").write_bytes(b"theirs")
    (home / "a").symlink_to(outside)
    (home / "b").mkdir()
    (home / "b/1").symlink_to(outside / "1")
    assert names(vault) == names(vault, "a/") == []
    for name in ("a/1", "b/1"):
        with pytest.raises((errors.NotFound, errors.Upstream)):
            vault.get(name, 100)
    for call in (vault.put, lambda name, _: vault.writes(name, 60)):
        with pytest.raises(errors.Upstream):
            call("a/2", b"x")
    vault.put("b/1", b"ours")  # instead of the link, not through it
    assert (outside / "1").read_bytes() == b"theirs"
    assert vault.get("b/1", 100) == b"ours"
    vault.delete(["a", "b/"])
    assert list(home.iterdir()) == []
    assert [each.name for each in outside.iterdir()] == ["1"]


def test_what_is_no_file_is_not_waited_for(vault, home):
    os.mkfifo(home / "pipe")
    with pytest.raises(errors.NotFound):
        vault.get("pipe", 1)
    assert names(vault) == []


def test_a_draft_is_no_object_and_goes_with_its_folder(vault, home):
    vault.put("a/1", b"x")
    draft = home / "a" / f"{files.UNFINISHED}1234"
    draft.write_bytes(b"half")
    assert names(vault) == names(vault, "a/") == ["a/1"]
    with pytest.raises(errors.Invalid):
        vault.get(f"a/{draft.name}", 10)
    vault.delete(["a/1"])
    assert draft.exists()
    vault.delete(["a/"])
    assert list(home.iterdir()) == []


def test_what_cannot_be_written_leaves_nothing(vault, home):
    vault.put("a/1", b"x")
    for name in ("a", "a/1/2"):
        with pytest.raises(errors.Upstream):
            vault.put(name, b"y")
    found = sorted(str(each.relative_to(home)) for each in home.rglob("*"))
    assert found == ["a", "a/1"]


def test_what_is_written_is_for_us_only(vault, home):
    vault.put("a/1", b"x")
    assert (home / "a").stat().st_mode & 0o777 == 0o700
    assert (home / "a/1").stat().st_mode & 0o777 == 0o600


def test_empty_folders_go_and_the_directory_stays(vault, home):
    vault.put("p/b/1", b"x")
    vault.put("p/c/1", b"x")
    vault.writes("p/d/e/1", 60)
    vault.delete(["p/b/"])
    assert sorted(each.name for each in (home / "p").iterdir()) == ["c", "d"]
    vault.delete(["p/d/e/1"])
    assert sorted(each.name for each in (home / "p").iterdir()) == ["c"]
    vault.delete(["p"])
    assert home.exists() and list(home.iterdir()) == []


def test_what_is_nobodys_name_is_not_listed(vault, home):
    vault.put("a", b"x")
    os.close(os.open(os.fsencode(home) + b"/\xff", os.O_CREAT | os.O_WRONLY))
    assert names(vault) == ["a"]


@pytest.fixture
def somebody():
    """Not root, whom nothing is forbidden."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_who_may_not(vault, home, request):
    vault.put("a/1", b"x")
    for folder in (home / "a", home):
        folder.chmod(0o500)
    try:
        request.getfixturevalue("somebody")
        for call in (
            vault.ensure,
            lambda: vault.put("a/1", b"y"),
            lambda: vault.put("b/1", b"y"),
            lambda: vault.delete(["a/"]),
        ):
            with pytest.raises(errors.Forbidden):
                call()
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        for folder in (home, home / "a"):
            folder.chmod(0o700)
