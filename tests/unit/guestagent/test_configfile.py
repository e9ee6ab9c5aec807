# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/configfile.py: layers, put and taken whole."""

import os

import pytest

from trove import errors
from trove.guestagent.configfile import Layers

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root: the files belong to root"
)


@pytest.fixture
def layers(host, tmp_path):
    return Layers(host, tmp_path, ".cnf")


def test_a_layer_is_put_once_and_taken(layers, tmp_path):
    assert layers.put("50-group", "a=1\n")
    assert not layers.put("50-group", "a=1\n")
    assert layers.put("50-group", "a=2\n")
    assert (tmp_path / "50-group.cnf").read_text() == "a=2\n"
    assert layers.take("50-group")
    assert not layers.take("50-group")
    assert layers.read("50-group") is None


def test_a_change_that_ends_badly_is_undone(layers):
    layers.put("50-group", "good\n")
    for before, content in (("good\n", "bad\n"), ("good\n", None)):
        with pytest.raises(LookupError), layers.change("50-group", content):
            assert layers.read("50-group") == content
            raise LookupError
        assert layers.read("50-group") == before
    with pytest.raises(LookupError), layers.change("60-new", "x\n"):
        raise LookupError
    assert layers.read("60-new") is None


def test_a_change_that_ends_well_stays(layers):
    with layers.change("50-group", "x\n") as changed:
        assert changed
    with layers.change("50-group", "x\n") as changed:
        assert not changed
    assert layers.read("50-group") == "x\n"


@pytest.mark.parametrize("name", ["../evil", "50-", "group", "50-a/b", "50-a\n", ""])
def test_a_name_that_is_no_layers_is_refused(layers, name):
    with pytest.raises(errors.Internal):
        layers.put(name, "x")
