# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/keeps.py: kept, brought back, and never lost in between."""

import os
import pathlib
import pwd

import pytest

from trove import errors
from trove.guestagent.brought import FOLDER
from trove.guestagent.host import Host, HostError
from trove.guestagent.keeps import CARRIED, KEPT, Keeps, NoRoom


class Death(BaseException):
    """The process ends here."""


class Mortal(Host):
    """Dies before the deed of this number."""

    def __init__(self):
        super().__init__()
        self.left = -1
        self.deeds = 0

    def _count(self):
        self.deeds += 1
        self.left -= 1
        if self.left == 0:
            raise Death

    def rename(self, old, new):
        self._count()
        super().rename(old, new)

    def remove(self, path):
        self._count()
        super().remove(path)

    def make_directory(self, path, **how):
        self._count()
        super().make_directory(path, **how)

    def run(self, argv, **how):
        self._count()
        return super().run(argv, **how)


@pytest.fixture
def volume(tmp_path):
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "data/shop").mkdir(parents=True)
    (tmp_path / "data/shop/rows").write_text("before")
    (tmp_path / "data/shop").chmod(0o700)
    (tmp_path / "binlogs").mkdir()
    (tmp_path / "binlogs/1").write_text("b1")
    return tmp_path


def spoil(volume):
    """What a new version makes of it."""
    (volume / "data/shop/rows").write_text("after")
    (volume / "binlogs/1").unlink()
    (volume / "new").mkdir()


def seen(volume):
    """Every file but what is kept."""
    return {
        str(path.relative_to(volume)): path.read_text()
        for path in sorted(volume.rglob("*"))
        if path.is_file() and KEPT not in path.parts
    }


BEFORE = {"binlogs/1": "b1", "data/shop/rows": "before"}


def test_what_was_kept_comes_back_and_what_was_there_is_not_lost(volume, host):
    keeps = Keeps(host, str(volume))
    keeps.keep("op-1")
    spoil(volume)
    keeps.bring_back("op-1")
    assert seen(volume) == BEFORE
    assert (volume / "data/shop").stat().st_mode & 0o777 == 0o700
    assert not (volume / "new").exists()
    failed = volume / KEPT / "op-1-failed"
    assert (failed / "data/shop/rows").read_text() == "after"
    assert (volume / KEPT).stat().st_mode & 0o777 == 0o700
    keeps.bring_back("op-1")  # done again, it is done
    keeps.forget("op-1")
    assert seen(volume) == BEFORE
    assert failed.exists(), "forgotten is the copy, not what failed"


def test_a_copy_is_made_once(volume, host):
    keeps = Keeps(host, str(volume))
    keeps.keep("op-1")
    spoil(volume)
    keeps.keep("op-1")
    keeps.bring_back("op-1")
    assert seen(volume) == BEFORE


def test_what_is_forgotten_cannot_come_back(volume, host):
    keeps = Keeps(host, str(volume))
    keeps.keep("op-1")
    keeps.forget("op-1")
    keeps.forget("op-1")
    with pytest.raises(errors.Invalid):
        keeps.bring_back("op-1")
    assert seen(volume) == BEFORE


@pytest.mark.parametrize("name", ["", "..", "../data", "a/b", "a b", "x" * 65])
def test_a_name_leads_nowhere_else(volume, host, name):
    keeps = Keeps(host, str(volume))
    for deed in (keeps.keep, keeps.bring_back, keeps.forget, keeps.drop_carried):
        with pytest.raises(errors.Invalid):
            deed(name)
    assert seen(volume) == BEFORE


def test_a_death_anywhere_is_made_good_by_doing_it_again(tmp_path, volume):
    """T04: at each deed of a copy, and at each of its return."""
    for deed in ("keep", "bring_back", "forget"):
        for number in range(1, 40):
            place = tmp_path / f"{deed}-{number}"
            (place / "data").mkdir(parents=True)
            (place / "data/rows").write_text("before")
            (place / "logs").mkdir()
            host = Mortal()
            keeps = Keeps(host, str(place))
            if deed != "keep":
                keeps.keep("op")
                (place / "data/rows").write_text("after")
                (place / "new").mkdir()
            host.left = number
            try:
                getattr(keeps, deed)("op")
            except Death:
                host.left = -1
                getattr(keeps, deed)("op")
                died = True
            else:
                died = False
            rows = "before" if deed != "forget" else "after"
            assert (place / "data/rows").read_text() == rows, (deed, number)
            if deed == "bring_back":
                failed = place / KEPT / "op-failed"
                assert (failed / "data/rows").read_text() == "after", number
                assert sorted(os.listdir(place)) == [KEPT, "data", "logs"]
            elif deed == "forget":
                assert not (place / KEPT / "op").exists()
            else:
                assert (place / KEPT / "op/data/rows").read_text() == "before"
            if not died:
                break
        assert number > 1, f"{deed} never died"


def test_without_room_nothing_is_begun(volume, host, monkeypatch):
    """A file system that shares no blocks, and is full."""
    found = os.statvfs(volume)

    class Full(Host):
        def run(self, argv, **how):
            if "--reflink=always" in argv:
                argv = ["false"]
            return super().run(argv, **how)

    monkeypatch.setattr(
        os, "statvfs", lambda path: os.statvfs_result([*found[:4], 1, *found[5:]])
    )
    with pytest.raises(NoRoom) as told:
        Keeps(Full(), str(volume)).keep("op-1")
    assert "larger" in told.value.message
    assert seen(volume) == BEFORE
    assert not (volume / KEPT / "op-1").exists()


def test_where_blocks_are_not_shared_the_copy_is_a_copy(volume):
    class Plain(Host):
        def run(self, argv, **how):
            if "--reflink=always" in argv:
                argv = ["false"]
            return super().run(argv, **how)

    keeps = Keeps(Plain(), str(volume))
    keeps.keep("op-1")
    spoil(volume)
    keeps.bring_back("op-1")
    assert seen(volume) == BEFORE


def test_a_certificate_that_was_brought_stays_where_and_what_it_is(volume, host):
    """Else its key would lie about in what a failed upgrade leaves behind."""
    folder = volume / FOLDER
    folder.mkdir()
    (folder / "brought.json").write_text("the key")
    keeps = Keeps(host, str(volume))
    keeps.keep("op-1")
    (folder / "brought.json").write_text("the next key")
    spoil(volume)
    keeps.bring_back("op-1")
    assert (folder / "brought.json").read_text() == "the next key"
    found = [path for path in (volume / KEPT).rglob("brought.json")]
    assert found == []


def test_what_is_there_is_told(volume, tmp_path):
    keeps = Keeps(Host(), str(volume))
    assert keeps.shown() == ()
    kept = volume / KEPT
    for name in ("a", "b-failed", "b-aside", "c-unfinished", "not a name"):
        (kept / name).mkdir(parents=True)
    (kept / "b-failed" / "data").write_bytes(b"x" * 100_000)
    shown = {copy.name: copy.size for copy in keeps.shown()}
    assert set(shown) == {"a", "b-failed", "c-unfinished"}
    assert shown["b-failed"] >= 100_000 > shown["a"]
    keeps.forget("b-failed")
    assert [copy.name for copy in keeps.shown()] == ["a", "c-unfinished"]


def test_a_size_that_takes_too_long_is_not_told(volume):
    class Slow(Host):
        def run(self, argv, **how):
            raise HostError("du", None, "")

    (volume / KEPT / "a").mkdir(parents=True)
    (copy,) = Keeps(Slow(), str(volume)).shown()
    assert (copy.name, copy.size) == ("a", None)


def test_what_is_carried_is_neither_kept_nor_in_the_way(volume, host):
    keeps = Keeps(host, str(volume))
    carried = keeps.carried("op-1")
    os.mkdir(carried)
    keeps.keep("op-1")
    assert CARRIED not in os.listdir(volume / KEPT / "op-1")
    keeps.make_way("op-1")
    assert sorted(os.listdir(volume)) == [CARRIED, KEPT, "lost+found"]
    keeps.make_way("op-1")
    keeps.bring_back("op-1")
    assert seen(volume) == BEFORE
    assert not os.path.exists(carried), "what is back needs nothing of it"


def test_what_was_carried_goes_alone(volume, host):
    keeps = Keeps(host, str(volume))
    for name in ("op-1", "op-1-unfinished", "op-2"):
        os.mkdir(keeps.carried(name))
    keeps.keep("op-1")
    for _ in range(2):
        keeps.drop_carried("op-1")
    assert os.listdir(volume / CARRIED) == ["op-2"]
    assert (volume / KEPT / "op-1/data/shop/rows").read_text() == "before"
    assert seen(volume) == BEFORE


def test_a_copy_that_stays_outlives_all_that_comes_later(volume, host):
    """An upgrade that succeeds, and one that fails; neither has it in its own copy."""
    keeps = Keeps(host, str(volume))
    keeps.keep("op-1")
    first = volume / KEPT / "op-1"
    spoil(volume)
    later = seen(volume)
    for name, end in (("op-2", keeps.forget), ("op-3", keeps.bring_back)):
        keeps.keep(name)
        assert KEPT not in os.listdir(volume / KEPT / name)
        keeps.make_way(name)
        end(name)
        assert (first / "data/shop/rows").read_text() == "before"
        assert (first / "binlogs/1").read_text() == "b1"
        for entry in ("data/shop", "binlogs", "new"):
            (volume / entry).mkdir(parents=True, exist_ok=True)
        (volume / "data/shop/rows").write_text("after")
    assert seen(volume) == later
    keeps.forget("op-1")
    assert os.listdir(volume / KEPT) == ["op-3-failed"]
    assert seen(volume) == later


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files of others")
@pytest.mark.root
def test_an_image_whose_user_has_another_number_has_the_data(volume, host):
    """And the image of before has them again, if it goes back."""
    before, user = 54321, "daemon"
    number = pwd.getpwnam(user).pw_uid
    for path in (volume / "data", *(volume / "data").rglob("*")):
        os.chown(path, before, before)
    (volume / "data/link").symlink_to("/etc/passwd")
    os.chown(volume / "data/link", before, before, follow_symlinks=False)
    keeps = Keeps(host, str(volume))
    carried = pathlib.Path(keeps.carried("op-1"))
    carried.mkdir()
    os.chown(carried, before, before)
    keeps.keep("op-1")
    for _ in range(2):
        keeps.resume("op-1", back=False, user=user)
    ours = [volume / "data", volume / "data/shop/rows", volume / "data/link", carried]
    assert {path.lstat().st_uid for path in ours} == {number}
    assert (volume / "binlogs/1").stat().st_uid == 0, "what was root's is root's"
    assert os.stat("/etc/passwd").st_uid == 0
    keeps.resume("op-1", back=True, user=user)
    assert (volume / "data/shop/rows").stat().st_uid == before
