# SPDX-License-Identifier: Apache-2.0
"""Configuration groups on real databases: in force, waiting, refused, gone (S6)."""

import subprocess
import sys

import pytest

from tests.system.deployment import VERSIONS, ask, until
from trove.datastores import rules

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

USER = {"name": "ada", "password": "correct horse", "databases": [{"name": "shop"}]}
SHOW = {"mariadb": "SELECT @@global.{}", "postgresql": "SHOW {}"}
LIVE = {
    "mariadb": ("wait_timeout", 601, "601"),
    "postgresql": ("work_mem", 777, "777kB"),
}
SLOW = {
    "mariadb": ("performance_schema", True, "1"),
    "postgresql": ("max_connections", 61, "61"),
}
REFUSED = {
    "mariadb": {"default_time_zone": "Middle/Earth"},
    "postgresql": {"timezone": "Middle/Earth"},
}
"""What only the engine itself knows to be wrong."""
EVIL = {
    "mariadb": {"sql_mode": 'ANSI"\nplugin_load_add=evil.so', "plugin_load_add": "x"},
    "postgresql": {"timezone": "UTC'\narchive_command='id", "archive_command": "id"},
}


class Owner:
    """Whose group it is, and whose database."""

    def __init__(self, demo, datastore, **values):
        self.demo, self.datastore = demo, datastore
        self.group = self.make(values)
        self.id = demo.create(datastore, f"group-{datastore}", [USER])
        demo.wait(self.id)

    def make(self, values):
        body = {"name": "tuned", "values": values}
        body["datastore"] = {
            "type": self.datastore,
            "version": VERSIONS[self.datastore],
        }
        return self.said("POST", "/configurations", {"configuration": body}, 200)[
            "configuration"
        ]["id"]

    def said(self, method, path, body=None, status=202):
        answer = self.demo.ask(method, path, body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def has(self, group, status=202):
        path, body = f"/instances/{self.id}", {"instance": {"configuration": group}}
        return self.said("PUT", path, body, status)

    def change(self, status, **values):
        path = f"/configurations/{self.group}"
        return self.said("PATCH", path, {"configuration": {"values": values}}, status)

    def value(self, name):
        shown = self.demo.show(self.id)
        with self.demo.connect(shown, USER["name"], USER["password"], "shop") as line:
            return str(ask(line, SHOW[self.datastore].format(name))[0][0])

    def status(self):
        return self.demo.show(self.id)["status"]

    def restart(self):
        path = f"/instances/{self.id}/action"
        self.said("POST", path, {"restart": {}})
        until("it is restarted", lambda: self.status() in ("ACTIVE", "ERROR"))
        self.demo.wait(self.id)


@pytest.mark.parametrize("datastore", VERSIONS)
def test_a_group_from_attach_to_detach(demo, datastore):
    name, given, shown = LIVE[datastore]
    owner = Owner(demo, datastore, **{name: given})
    before = owner.value(name)
    owner.has(owner.group)
    assert owner.value(name) == shown, "in force when the answer came"
    assert demo.show(owner.id)["configuration"]["id"] == owner.group
    slow, wanted, then = SLOW[datastore]
    was = owner.value(slow)
    owner.change(200, **{slow: wanted})
    assert owner.status() == "RESTART_REQUIRED"
    assert owner.value(slow) == was
    owner.restart()
    assert (owner.value(slow), owner.value(name)) == (then, shown)
    owner.said("DELETE", f"/configurations/{owner.group}", status=400)
    fault = owner.change(422, **REFUSED[datastore])["unprocessableEntity"]["message"]
    assert "configure" in fault
    assert owner.value(name) == shown, "what was refused changed nothing"
    evil = EVIL[datastore]
    for key, value in evil.items():
        owner.change(422, **{key: value})
    owner.has(None)
    assert owner.value(name) == before
    assert owner.status() == "RESTART_REQUIRED", "the slow one is still as it was"
    owner.restart()
    assert owner.value(slow) == was
    owner.said("DELETE", f"/configurations/{owner.group}")
    defaults = owner.said("GET", f"/instances/{owner.id}/configuration", status=200)
    assert defaults["instance"]["configuration"]["port"] in (3306, 5432)
    demo.delete(owner.id)
    demo.gone(owner.id)


GENERATED = {
    # a name that only the engine's own rules have: what is set, what SHOW says then,
    # what it says is beyond it, and a word that is none of its words
    "mariadb": ("innodb_old_blocks_time", 1234, "1234", 2**32, "use_stat_tables"),
    "postgresql": ("commit_siblings", 7, "7", 1001, "plan_cache_mode"),
}


@pytest.mark.parametrize("datastore", VERSIONS)
def test_the_engines_own_rules_from_its_image_to_the_user(
    deployment, demo, admin, datastore
):
    name, value, shown, beyond, words = GENERATED[datastore]
    path = f"/datastores/{datastore}/versions/{VERSIONS[datastore]}/parameters"
    found = demo.ask("GET", path).json()["configuration-parameters"]
    file = rules.read(image_rules(deployment, datastore), "stdout")
    assert [each["name"] for each in found] == sorted(file.rules)
    assert len(found) > 150
    for each in found:
        said = file.rules[each["name"]]
        keys = {"type", "restart_required", "unit", "values"} & said.keys()
        ends = {"min", "max"} if said["type"] == "integer" else set()
        assert {key: each[key] for key in keys | ends} == {
            key: said[key] for key in keys | ends
        }
    owner = Owner(demo, datastore, **{name: value})
    before = owner.value(name)
    owner.has(owner.group)
    assert owner.value(name) == shown
    for wrong, says in (
        ({name: beyond}, f"above {beyond - 1}"),
        ({name: str(value)}, "not of type integer"),
        ({words: "klingon"}, "not one of: "),
    ):
        fault = owner.change(422, **wrong)["unprocessableEntity"]["message"]
        assert says in fault and "configure" not in fault, "no guest was asked"
    assert (owner.value(name), owner.status()) == (shown, "ACTIVE")

    version = found[0]["datastore_version_id"]
    place = f"/mgmt/datastores/versions/{version}/parameters/{name}"
    rule = {"name": name, "restart_required": 0, "data_type": "integer"}
    narrow = {"configuration-parameter": {**rule, "max_size": value - 1}}
    assert admin.ask("PUT", place, narrow).status_code == 200
    owner.change(422, **{name: value})
    wide = {"configuration-parameter": {**rule, "max_size": beyond}}
    assert admin.ask("PUT", place, wide).status_code == 400
    load(deployment, datastore)
    owner.change(200, **{name: value - 1})
    owner.has(None)
    assert (owner.value(name), owner.status()) == (before, "ACTIVE")
    owner.said("DELETE", f"/configurations/{owner.group}")
    demo.delete(owner.id)
    demo.gone(owner.id)


def image_rules(deployment, datastore):
    """What ``trove-localcloud rules`` prints."""
    words = ["--state-dir", str(deployment.place.state)]
    words += ["--cache-dir", str(deployment.place.cache), "rules", datastore]
    return run("trove.cmd.localcloud", *words)


def load(deployment, datastore):
    """Returns to what was loaded, whatever an administrator made of it."""
    words = (f"--config-file={deployment.place.etc / 'trove.conf'}", "parameters")
    version = VERSIONS[datastore]
    said = run("trove.cmd.manage", *words, "load", datastore, version)
    assert said.startswith(f"{datastore} {version} has ")


def run(module, *words):
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        capture_output=True,
        text=True,
        timeout=300,
        cwd="/",
        check=True,
    ).stdout
