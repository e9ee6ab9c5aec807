# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import os
import pathlib
import threading

import pytest

from trove.localcloud import layers

DAY = 86400.0


def test_the_same_parts_have_the_same_name():
    assert layers.digest("a", b"b") == layers.digest(b"a", "b")
    assert layers.digest("ab", "") != layers.digest("a", "b")


def test_a_layer_is_built_once(tmp_path):
    built = []
    ours = layers.Layers(tmp_path / "images")
    for _ in range(2):
        path = ours.have("base", "1", built.append)
    assert len(built) == 1
    assert path == tmp_path / "images/base-1"


def test_a_build_that_died_is_no_layer(tmp_path):
    ours = layers.Layers(tmp_path)

    def half(root: pathlib.Path):
        (root / "half").touch()
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        ours.have("base", "1", half)
    assert ours.all() == set()
    whole = ours.have("base", "1", lambda root: (root / "whole").touch())
    assert [path.name for path in whole.iterdir()] == ["whole"]


def test_two_layers_are_built_side_by_side(tmp_path):
    """Each build waits for the other one to have begun."""
    ours, both = layers.Layers(tmp_path), threading.Barrier(2)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        made = [
            pool.submit(ours.have, "base", name, lambda root: both.wait(30))
            for name in "12"
        ]
        found = {each.result() for each in made}
    assert found == ours.all() and len(found) == 2


def test_what_nobody_uses_goes_after_a_week(tmp_path):
    ours = layers.Layers(tmp_path)
    used, unused, fresh = (ours.have("a", name, lambda root: None) for name in "123")
    for name in "12":
        os.utime(tmp_path / f".used-a-{name}", (0, 0))
    now = (tmp_path / ".used-a-3").stat().st_mtime + DAY
    assert ours.prune({used}, now) == [unused]
    assert ours.all() == {used, fresh}


def test_who_says_that_it_is_used_keeps_it(tmp_path):
    ours = layers.Layers(tmp_path)
    layer = ours.have("a", "1", lambda root: None)
    os.utime(tmp_path / ".used-a-1", (0, 0))
    ours.touch({layer, pathlib.Path("/elsewhere")})
    now = (tmp_path / ".used-a-1").stat().st_mtime + DAY
    assert ours.prune(set(), now) == []
