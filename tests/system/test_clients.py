# SPDX-License-Identifier: Apache-2.0
"""``openstack database`` against a running cloud: each command, on real databases.

All that the installed client has is run, those of the contract's appendix A and the
rest, on an instance of each datastore. ``test_libraries`` is of the libraries.
"""

import json
import typing

import pytest

from tests.system import clients
from tests.system.clients import NOBODY, Openstack
from tests.system.deployment import VERSIONS, Deployment, User, until

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

Any = typing.Any

LIVE = {"mariadb": ("wait_timeout", 601), "postgresql": ("work_mem", 777)}
"""A parameter that is in force at once."""


@pytest.fixture(scope="module")
def osc(deployment: Deployment) -> Openstack:
    return Openstack(deployment)


class Subject:
    """The instance that commands are about."""

    def __init__(self, osc: Openstack, demo: User, datastore: str) -> None:
        self.osc, self.demo, self.datastore = osc, demo, datastore
        self.version = VERSIONS[datastore]
        self.name = f"osc-{datastore}"
        self.of = ("--datastore", datastore)
        self.both = (*self.of, "--datastore-version", self.version)
        self.id = ""

    def settled(self) -> None:
        """When what was asked of it has ended, and it serves."""
        until(
            "nothing is under way",
            lambda: (
                not self.demo.deployment.rows(
                    "SELECT 1 FROM operations "
                    "WHERE object_id = ? AND lock_key IS NOT NULL",
                    self.id,
                )
            ),
        )
        self.demo.wait(self.id)

    def made(self) -> None:
        words = ("--databases", "shop", "--users", "ada:correct-horse", *self.both)
        made = self.osc.shown(
            *("database", "instance", "create", self.name, "--flavor", "1"),
            *("--size", "1", *words),
        )
        assert (made["status"], made["datastore"]) == ("BUILD", self.datastore)
        self.id = made["id"]
        self.demo.wait(self.id)
        shown = self.osc.shown("database", "instance", "show", self.name)
        assert (shown["status"], shown["operating_status"]) == ("ACTIVE", "HEALTHY")
        assert shown["volume_used"] and shown["ip"]

    def listed(self) -> None:
        rows = self.osc.shown("database", "instance", "list")
        row = next(row for row in rows if row["ID"] == self.id)
        assert (row["Datastore"], row["Status"]) == (self.datastore, "ACTIVE")
        words = ("database", "instance", "list", "--all-projects")
        everybody = self.osc.shown(*words, cloud="admin")
        row = next(row for row in everybody if row["ID"] == self.id)
        assert row["Server ID"] and row["Tenant ID"]

    def renamed(self) -> None:
        update = ("database", "instance", "update")
        assert self.osc(*update, self.name, "--name", "another") == ""
        assert self.osc.shown("database", "instance", "show", "another")
        self.osc(*update, self.id, "--name", self.name)
        self.osc(*update, self.id)
        self.osc(*update, self.id, "--allowed-cidr", "10.0.0.0/8")
        self.settled()
        assert self.demo.show(self.id)["access"]["allowed_cidrs"] == ["10.0.0.0/8"]

    def accounts(self) -> None:
        osc, id = self.osc, self.id
        db, user = ("database", "db"), ("database", "user")
        osc(*db, "create", id, "more")
        names = {row["Name"] for row in osc.shown(*db, "list", self.name)}
        assert names == {"shop", "more"}
        osc(*user, "create", id, "ann.b", "secret", "--databases", "shop")
        rows = {row["Name"]: row for row in osc.shown(*user, "list", id)}
        assert rows["ann.b"]["Databases"] == "shop" and "ada" in rows
        assert osc.shown(*user, "show", id, "ann.b")["name"] == "ann.b"
        osc(*user, "grant", "access", id, "ann.b", "more")
        osc(*user, "revoke", "access", id, "ann.b", "shop")
        assert osc.shown(*user, "show", "access", id, "ann.b") == [{"Name": "more"}]
        new = ("--new_password", "another")
        osc(*user, "update", "attributes", id, "ann.b", *new)
        with self.demo.connect(self.demo.show(id), "ann.b", "another", "more"):
            pass
        osc(*user, "delete", id, "ann.b")
        osc(*db, "delete", id, "more")
        assert "ann.b" not in {row["Name"] for row in osc.shown(*user, "list", id)}

    def root(self) -> None:
        root = ("database", "root")
        had = self.osc.shown(*root, "enable", self.id)
        assert had["name"] == "root"
        shown = self.demo.show(self.id)
        with self.demo.connect(shown, "root", had["password"], "shop"):
            pass
        assert str(self.osc.shown(*root, "show", self.id)["is_root_enabled"]) == "True"
        self.osc(*root, "disable", self.id)
        assert str(self.osc.shown(*root, "show", self.id)["is_root_enabled"]) == "False"

    def groups(self) -> None:
        osc, group, (key, value) = (
            self.osc,
            ("database", "configuration"),
            (LIVE[self.datastore]),
        )
        made = osc.shown(
            *group, "create", "tuned", json.dumps({key: value}), *self.both
        )
        assert made["datastore_version_name"] == self.version
        assert "tuned" in {row["Name"] for row in osc.shown(*group, "list")}
        assert osc.shown(*group, "show", "tuned")["id"] == made["id"]
        osc(*group, "attach", self.id, made["id"])
        self.settled()
        rows = osc.shown(*group, "instances", made["id"])
        assert [row["ID"] for row in rows] == [self.id]
        osc(*group, "parameter", "set", made["id"], json.dumps({key: value + 1}))
        osc(*group, "set", made["id"], json.dumps({key: value + 2}), "--name", "fine")
        assert str(value + 2) in str(osc.shown(*group, "show", "fine")["values"])
        osc(*group, "detach", self.id)
        self.settled()
        assert osc.shown(*group, "default", self.id)["port"]
        of = (self.version, *self.of)
        rows = osc.shown(*group, "parameter", "list", *of)
        assert key in {row["Name"] for row in rows}
        words = (self.version, key, *self.of)
        assert osc.shown(*group, "parameter", "show", *words)["name"] == key
        osc(*group, "delete", made["id"])
        assert "fine" not in {row["Name"] for row in osc.shown(*group, "list")}

    def logs(self, folder: Any) -> None:
        osc, id, log = self.osc, self.id, ("database", "log")
        assert "general" in {row["Name"] for row in osc.shown(*log, "list", id)}
        assert osc.shown(*log, "set", id, "general", "--enable")["name"] == "general"
        self.settled()
        shown = self.demo.show(id)
        with self.demo.connect(shown, "ada", "correct-horse", "shop") as line:
            line.cursor().execute("SELECT 'heard by the shell'")
        until(
            "it was written down",
            lambda: osc.shown(*log, "show", id, "general")["pending"] > 0,
        )
        osc(*log, "set", id, "general", "--publish")
        tail = osc(*log, "tail", id, "general", "--lines", "500")
        assert "heard by the shell" in tail
        osc(*log, "save", id, "general", "--file", str(folder / "log"))
        assert "heard by the shell" in (folder / "log").read_text()
        osc(*log, "set", id, "general", "--disable", "--discard")
        self.settled()

    def encrypted(self) -> None:
        ssl = ("database", "ssl")
        assert self.osc.shown(*ssl, "show", self.id)["status"] == "on"
        self.osc.refused(*ssl, "enable", self.id, "no-such-secret", "--mode", "basic")
        self.osc.refused(*ssl, "rollback", self.id)

    def restarted(self) -> None:
        instance = ("database", "instance")
        assert self.osc(*instance, "restart", self.name) == ""
        self.settled()
        self.osc(*instance, "resize", "volume", self.id, "2")
        self.settled()
        assert self.osc.shown(*instance, "show", self.id)["volume"] == 2
        self.osc(*instance, "resize", "flavor", self.id, "2")
        self.settled()
        assert str(self.osc.shown(*instance, "show", self.id)["flavor"]) == "2"
        assert "403" in self.osc.refused(*instance, "reboot", self.id)
        self.osc(*instance, "reboot", self.id, cloud="admin")
        self.settled()
        self.osc(*instance, "rebuild", self.id, self.image(), cloud="admin")
        self.settled()
        with self.demo.connect(self.demo.show(self.id), "ada", "correct-horse", "shop"):
            pass

    def image(self) -> str:
        """Of its version: the one that its server has."""
        deployment = self.demo.deployment
        rows = clients.library(deployment, "admin").mgmt_ds_versions.list()
        (tags,) = [v.image_tags for v in rows if v.datastore_name == self.datastore]
        cloud = deployment.cloud()
        try:
            found = cloud.images.newest(tuple(tags))
            assert found is not None
            return found.id
        finally:
            cloud.close()

    def cannot(self) -> None:
        """Replicas come later; another version must be another."""
        instance = ("database", "instance")
        for word in ("promote", "eject", "detach"):
            assert "HTTP" in self.osc.refused(*instance, word, self.id)
        assert "HTTP" in self.osc.refused(*instance, "upgrade", self.id, self.version)
        words = ("rebuild", self.id, NOBODY)
        self.osc.refused(*instance, *words, cloud="admin")
        assert "403" in self.osc.refused(*instance, "reset", "status", self.id)

    def gone(self) -> None:
        instance = ("database", "instance")
        if self.datastore == "mariadb":
            self.osc(*instance, "reset", "status", self.id, cloud="admin")
            self.osc(*instance, "force", "delete", self.id, cloud="admin")
        else:
            assert "accepted" in self.osc(*instance, "delete", self.name)
        self.demo.gone(self.id)
        self.osc.refused(*instance, "show", self.id)


@pytest.mark.parametrize("datastore", VERSIONS)
def test_every_command_on_an_instance(
    osc: Openstack, demo: User, datastore: str, tmp_path: Any
) -> None:
    """Appendix A, from create to delete, by the real shell."""
    subject = Subject(osc, demo, datastore)
    subject.made()
    subject.listed()
    subject.renamed()
    subject.accounts()
    subject.root()
    subject.groups()
    subject.logs(tmp_path)
    subject.encrypted()
    subject.restarted()
    subject.cannot()
    subject.gone()


def test_the_commands_about_what_there_is(osc: Openstack) -> None:
    flavors = osc.shown("database", "flavor", "list")
    assert flavors
    name = flavors[0]["Name"]
    assert osc.shown("database", "flavor", "show", name)["name"] == name
    stores = {row["Name"] for row in osc.shown("datastore", "list")}
    assert stores == set(VERSIONS)
    for store, version in VERSIONS.items():
        assert osc.shown("datastore", "show", store)["name"] == store
        rows = osc.shown("datastore", "version", "list", store)
        assert version in {row["Name"] for row in rows}
        words = ("version", "show", version, "--datastore", store)
        assert osc.shown("datastore", *words)["name"] == version
    assert "max_instances" in osc("database", "limit", "list")
    assert osc.shown("database", "cluster", "list") == []
    assert osc.shown("database", "backup", "list") == []
    assert osc.shown("database", "backup", "strategy", "list") == []


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
    osc.refused("database", *strategy)
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
