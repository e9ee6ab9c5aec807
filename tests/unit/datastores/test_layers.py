# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/datastores/layers.py: their order, the guard, and what is refused."""

import pytest

from trove import errors
from trove.datastores.layers import GUARD, WRITTEN, Grammar, Layers

GRAMMAR = Grammar(".x", "use {path};\n", "yes", "no", "'", doubled=True, head="[x]\n")


@pytest.fixture
def layers(host):
    return Layers(host, "/etc/x", "x.conf", GRAMMAR)


def test_layers_are_included_in_their_order(host, layers):
    layers.write(layers.stage([{"a": number} for number in range(5)]))
    text = host.files["/etc/x/x.conf"]
    found = [text.index(f"use /etc/x/{name}.x;") for name in (*WRITTEN, GUARD)]
    assert found == sorted(found)
    assert host.files["/etc/x/50-group.x"] == "[x]\na = 3\n"


def test_what_is_staged_is_all_of_it_and_nothing_else_is_written(host, layers):
    before = set(host.files)
    layers.stage([{"a": True}, {"b": "it's"}, {}, {}, {}])
    assert set(host.files) - before == {layers.staged}
    assert "a = yes\n" in host.files[layers.staged]
    assert "b = 'it''s'\n" in host.files[layers.staged]


def test_the_guard_outlives_a_configuration(host, layers):
    assert layers.guard({"ro": True})
    assert not layers.guard({"ro": True})
    layers.write(layers.stage([{}] * 5))
    assert host.files[layers.path(GUARD)] == "[x]\nro = yes\n"


def test_another_grammar_has_nothing_but_a_blank_between():
    grammar = Grammar(".x", "", "yes", "no", '"', doubled=False, between=" ")
    assert grammar.render({"a-b": True, "c": "d e"}) == 'a-b yes\nc "d e"\n'


@pytest.mark.parametrize("evil", ["a\\", "a\nb = c", "\x00", None, []])
def test_a_value_that_ends_its_line_is_never_written(evil):
    with pytest.raises(errors.Internal):
        GRAMMAR.render({"name": evil})
