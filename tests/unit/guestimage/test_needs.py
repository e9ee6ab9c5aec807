# SPDX-License-Identifier: Apache-2.0
import os
import pathlib

import pytest

from trove import errors
from trove.guestimage import needs


def test_what_is_lacking_is_named_once():
    programs = {"no-such-one": "ours", "no-such-two": "ours", "true": "coreutils"}
    assert needs.lacking(programs, {pathlib.Path("/no/file"): "other"}) == [
        "other",
        "ours",
    ]
    assert needs.lacking({"true": "coreutils"}, {}) == []


def test_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(needs, "lacking", lambda: ["grub-pc-bin", "qemu-utils"])
    with pytest.raises(errors.Invalid, match="apt-get .* grub-pc-bin qemu-utils"):
        needs.check()


def test_who_is_not_root_is_told(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(errors.Invalid, match="root"):
        needs.check()
