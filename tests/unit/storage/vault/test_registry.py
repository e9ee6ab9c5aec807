# SPDX-License-Identifier: Apache-2.0
"""The stores of backups, by name."""

import sys

import pytest

from trove import errors
from trove.storage.vault import registry
from trove.storage.vault.directory import Directory
from trove.storage.vault.s3 import S3
from trove.storage.vault.swift import Swift


def test_ours():
    assert registry.names() == ["directory", "s3", "swift"]
    ours = {"directory": Directory, "s3": S3, "swift": Swift}
    assert {name: registry.opens(name) for name in ours} == ours


@pytest.mark.parametrize("name", ["", "tape", "Swift", "directory:Directory"])
def test_no_other(name):
    with pytest.raises(errors.Unsupported, match="is not supported"):
        registry.opens(name)


def test_an_installed_package_brings_its_own(tmp_path, monkeypatch):
    (tmp_path / "tapes.py").write_text("def opens(path): return path\nours = None\n")
    about = tmp_path / "tapes-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tapes\nVersion: 1\n")
    entries = "[trove.vaults]\ntape = tapes:opens\nswift = tapes:ours\n"
    (about / "entry_points.txt").write_text(entries)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert registry.names() == ["directory", "s3", "swift", "tape"]
        assert registry.opens("tape")("x") == "x"
        assert registry.opens("swift") is Swift  # none of ours is replaced
    finally:
        sys.modules.pop("tapes", None)
