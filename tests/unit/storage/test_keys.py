# SPDX-License-Identifier: Apache-2.0
"""The keyring, and what it wraps."""

import os
import stat

import pytest

from trove.storage.keys import Keyring, NoKeys, NotOpened, Wrapped

A, B = b"a" * 32, b"b" * 32


def test_what_was_wrapped_for_a_project_is_opened_for_it_alone():
    ring, key = Keyring({"1": A}), os.urandom(32)
    wrapped = ring.wrap("p", key)
    assert ring.unwrap("p", wrapped) == key
    for project, other in (
        ("q", wrapped),
        ("p", Wrapped("1", wrapped.key[:-2] + "00")),
        ("p", Wrapped("1", wrapped.key[:-2])),
        ("p", Wrapped("1", "no digits")),
        ("p", Wrapped("1", "")),
    ):
        with pytest.raises(NotOpened):
            ring.unwrap(project, other)


def test_a_new_key_wraps_and_an_old_one_still_opens():
    key = os.urandom(32)
    old = Keyring({"1": A}).wrap("p", key)
    both = Keyring({"2": B, "1": A})
    assert both.unwrap("p", old) == key
    assert both.wrap("p", key).ring == "2"
    with pytest.raises(NotOpened, match="no key 1"):
        Keyring({"2": B}).unwrap("p", old)


def test_a_key_has_one_purpose_and_one_project():
    ring = Keyring({"2": B, "1": A})
    found = {ring.signing("p")[1], ring.signing("q")[1], ring.signing("p", "1")[1]}
    assert len(found) == 3
    assert ring.signing("p")[0] == "2"
    wrapped = ring.wrap("p", A).key
    assert all(key.hex() not in wrapped for key in found | {A, B})


def test_the_file_is_its_owners(tmp_path):
    path = tmp_path / "keyring"
    Keyring.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = os.urandom(32)
    wrapped = Keyring.read(path).wrap("p", key)
    assert Keyring.read(str(path)).unwrap("p", wrapped) == key
    with pytest.raises(FileExistsError):
        Keyring.create(path)
    path.chmod(0o640)
    with pytest.raises(NoKeys, match="others may read it"):
        Keyring.read(path)


@pytest.mark.parametrize(
    "text",
    ["", "1:abc", f"1:{'a' * 64}\n1:{'b' * 64}", f"one two:{'a' * 64}", "\xff"],
)
def test_a_file_that_is_no_keyring_is_refused_without_its_contents(tmp_path, text):
    path = tmp_path / "keyring"
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o600)
    with pytest.raises(NoKeys) as refused:
        Keyring.read(path)
    assert "aaa" not in str(refused.value)
    with pytest.raises(NoKeys, match="FileNotFoundError"):
        Keyring.read(tmp_path / "none")


def test_a_keyring_does_not_show_its_keys():
    shown = repr(Keyring({"1": A}))
    assert shown == "Keyring(1)"


def test_a_new_key_has_an_id_of_its_own():
    assert Keyring.line().startswith("1:")
    assert Keyring.line({"1", "2"}).startswith("3:")
    assert Keyring.line() != Keyring.line()
