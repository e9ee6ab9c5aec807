# SPDX-License-Identifier: Apache-2.0
"""The rules' layer: asked of the image, and again when what decides them changes."""

import pytest

from trove import errors
from trove.datastores import rules
from trove.localcloud import agentlayer, programs, ruleslayer


def test_another_policy_is_another_layer_and_another_agent_is_not(tmp_path):
    files = {}
    for name in ("datastores/mariadb/policy.json", "guestagent/agent.py"):
        files[name] = tmp_path / name
        files[name].parent.mkdir(parents=True)
        files[name].write_text("1")
    before = ruleslayer.content(files)
    files["guestagent/agent.py"].write_text("2")
    assert ruleslayer.content(files) == before
    files["datastores/mariadb/policy.json"].write_text("2")
    assert ruleslayer.content(files) != before


def test_what_decides_is_part_of_what_a_guest_gets():
    names = list(agentlayer.sources())
    for each in ruleslayer.DECISIVE:
        assert [name for name in names if name.startswith(each)]


def test_a_file_for_each_datastore_and_nothing_else(tmp_path, host):
    said = rules.write("toydb", "1.0", {})
    host.answers["rules"] = lambda argv: (tmp_path / ".scratch").mkdir() or said.strip()
    ruleslayer.make(tmp_path, [tmp_path], ["a", "b"], host, lambda _text: None)
    assert ruleslayer.file(tmp_path, "b").read_text() == said
    found = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert found == {f"usr/share/trove/rules/{name}.json" for name in "ab"}


def test_what_is_no_file_of_rules_makes_no_layer(tmp_path, host):
    host.failures.add("rules a")
    with pytest.raises(programs.ProgramFailed):
        ruleslayer.make(tmp_path, [tmp_path], ["a"], host, lambda _text: None)
    with pytest.raises(errors.Invalid):
        ruleslayer.make(tmp_path, [tmp_path], ["b"], host, lambda _text: None)
