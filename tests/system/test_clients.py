# SPDX-License-Identifier: Apache-2.0
"""``openstack database`` against a running cloud: each command, on real databases.

All that the installed client has is run, those of the contract's appendix A and the
rest, on an instance of each datastore. ``test_libraries`` is of the libraries.
"""

import json
import typing

import pytest

from tests.system import clients
from tests.system.clients import Openstack
from tests.system.deployment import VERSIONS, Deployment, User, completed, until
from tests.system.subject import Subject

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

Any = typing.Any


@pytest.fixture(scope="module")
def osc(deployment: Deployment) -> Openstack:
    return Openstack(deployment)


@pytest.mark.parametrize("datastore", VERSIONS)
def test_every_command_on_an_instance(
    osc: Openstack, demo: User, datastore: str, tmp_path: Any
) -> None:
    """Appendix A, from create to delete, by the real shell."""
    Subject(osc, demo, datastore).live(tmp_path)


def test_the_commands_about_what_there_is(osc: Openstack, demo: User) -> None:
    flavors = osc.shown("database", "flavor", "list")
    assert flavors
    name = flavors[0]["Name"]
    assert osc.shown("database", "flavor", "show", name)["name"] == name
    stores = {row["Name"] for row in osc.shown("datastore", "list")}
    assert stores >= set(VERSIONS)  # and what other tests registered
    for store, version in VERSIONS.items():
        assert osc.shown("datastore", "show", store)["name"] == store
        rows = osc.shown("datastore", "version", "list", store)
        assert version in {row["Name"] for row in rows}
        words = ("version", "show", version, "--datastore", store)
        assert osc.shown("datastore", *words)["name"] == version
    assert "max_instances" in osc("database", "limit", "list")
    assert osc.shown("database", "cluster", "list") == []
    kept = demo.ask("GET", "/backups").json()["backups"]  # by other tests
    shown = osc.shown("database", "backup", "list")
    assert {row["ID"] for row in shown} == {backup["id"] for backup in kept}
    assert osc.shown("database", "backup", "strategy", "list") == []


@pytest.mark.parametrize("datastore", VERSIONS)
def test_the_commands_about_backups(osc: Openstack, demo: User, datastore: str) -> None:
    """From a backup to an instance of it, by the real shell."""
    id = clients.demos(demo)[datastore]
    backup = ("database", "backup")
    made = osc.shown(*backup, "create", "nightly", "--instance", id)
    assert (made["status"], made["instance_id"]) == ("NEW", id)

    completed(demo, made["id"])
    assert osc.shown(*backup, "show", "nightly")["status"] == "COMPLETED"
    (row,) = osc.shown(*backup, "list", "instance", id)
    assert (row["Name"], row["Status"]) == ("nightly", "COMPLETED")
    assert made["id"] in {row["ID"] for row in osc.shown(*backup, "list")}
    words = ("--flavor", "1", "--size", "1", "--backup", made["id"])
    store = ("--datastore", datastore, "--datastore-version", VERSIONS[datastore])
    again = osc.shown("database", "instance", "create", "again", *words, *store)
    demo.wait(again["id"])
    demo.delete(again["id"])
    demo.gone(again["id"])
    osc(*backup, "delete", made["id"])
    path = f"/backups/{made['id']}"
    until("it is gone", lambda: demo.ask("GET", path).status_code == 404, every=1)
    assert osc.shown(*backup, "list", "instance", id) == []


def test_the_commands_of_an_administrator(osc: Openstack) -> None:
    """Versions from create to delete, and quotas."""

    def admin(*words: str) -> str:
        return osc(*words, cloud="admin")

    version = ("datastore", "version")
    words = ("9.9", "shell-made", "mariadb", "", "--image-tags", "trove", "--active")
    assert admin(*version, "create", *words, "--version-number", "9.9.1") == ""
    rows = osc.shown(*version, "list", "shell-made", cloud="admin")
    (id,) = [row["ID"] for row in rows]
    admin(*version, "set", id, "--version-name", "9.9b", "--disable")
    rows = osc.shown(*version, "list", "shell-made", cloud="admin")
    assert [row["Name"] for row in rows] == ["9.9b"]
    assert "403" in osc.refused(*version, "delete", id)
    admin(*version, "delete", id)
    admin("datastore", "delete", "shell-made")
    osc.refused("datastore", "show", "shell-made", cloud="admin")
    quota = ("database", "quota")
    assert "instances" in admin(*quota, "show", "other")
    admin(*quota, "update", "other", "instances", "7")
    rows = osc.shown(*quota, "show", "other", cloud="admin")
    assert {row["Resource"]: row["Limit"] for row in rows}["instances"] == 7


ABSENT = [
    ("cluster", "show", "nothing"),
    ("cluster", "delete", "nothing"),
    ("cluster", "force", "delete", "nothing"),
    ("cluster", "reset", "status", "nothing"),
    ("cluster", "list", "instances", "nothing"),
    ("cluster", "modules", "nothing"),
    ("cluster", "upgrade", "nothing", "11"),
    ("cluster", "grow", "nothing", "--instance", "flavor=1,volume=1"),
    ("cluster", "shrink", "nothing", "other"),
    ("backup", "show", "nothing"),
    ("backup", "delete", "nothing"),
    ("backup", "list", "instance", "nothing"),
    ("backup", "create", "b", "--instance", "nothing"),
    ("instance", "delete", "nothing"),
]


def test_the_commands_about_what_is_not_there(osc: Openstack) -> None:
    """Each ends with a sentence and a code, and none with a traceback."""
    for words in ABSENT:
        assert osc.refused("database", *words)
    create = ("cluster", "create", "c", "mariadb", VERSIONS["mariadb"])
    said = osc.refused("database", *create, "--instance", "flavor=1,volume=1")
    assert "Clusters not supported" in said
    strategy = ("backup", "strategy", "create", "--swift-container", "c")
    osc("database", *strategy)
    osc("database", "backup", "strategy", "delete")


ELSEWHERE = {
    "database ssl disable": "the tests of TLS",
    "database backup execution delete": "asks Mistral, which is another service's",
}


def test_no_command_of_the_client_was_left_out(osc: Openstack) -> None:
    if not osc.ran:
        pytest.skip("the tests before this one run the commands")
    assert {*osc.ran, *ELSEWHERE} >= clients.COMMANDS


def test_a_handful_as_processes(deployment: Deployment) -> None:
    """What the shell in this process shows is what the program prints."""

    def run(*words: str) -> tuple[int, str, str]:
        return clients.process(deployment, *words)

    code, out, _ = run("database", "instance", "list", "-f", "json")
    assert code == 0
    assert {"demo-mariadb", "demo-postgresql"} <= {r["Name"] for r in json.loads(out)}
    code, out, _ = run("database", "instance", "show", "demo-mariadb", "-f", "json")
    assert (code, json.loads(out)["status"]) == (0, "ACTIVE")
    code, out, said = run("database", "instance", "show", "nothing")
    assert code == 1 and "Traceback" not in said
