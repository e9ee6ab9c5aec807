# SPDX-License-Identifier: Apache-2.0
"""What ``openstack database`` can do with an instance, on whatever cloud it is."""

import contextlib
import json
import typing

import openstack
import pytest

from tests.system import clients
from tests.system.clients import NOBODY, Openstack, Proxy
from tests.system.deployment import VERSIONS, User, until

Any = typing.Any

LIVE = {"mariadb": ("wait_timeout", 601), "postgresql": ("work_mem", 777)}
"""A parameter that is in force at once."""


class Subject:
    """The instance that commands are about, from its create to its delete."""

    small, large = "1", "2"
    """The names or ids of two flavors."""
    placed: tuple[str, ...] = ()
    """Where its create puts it."""

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
            lambda: not self.demo.deployment.under_way(self.id),
            self.demo.patience,
        )
        self.demo.wait(self.id)

    def enter(self, user: str, password: str, database: str = "shop") -> Any:
        """A connection to the database, to be used as a context."""
        return self.demo.connect(self.demo.show(self.id), user, password, database)

    def live(self, folder: Any) -> None:
        """All of it."""
        self.made()
        self.listed()
        self.renamed()
        self.accounts()
        self.root()
        self.groups()
        self.logs(folder)
        self.encrypted()
        self.restarted()
        self.cannot()
        self.gone()

    def made(self) -> None:
        words = ("--databases", "shop", "--users", "ada:correct-horse", *self.both)
        made = self.osc.shown(
            *("database", "instance", "create", self.name, "--flavor", self.small),
            *("--size", "1", *words, *self.placed),
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
        with self.enter("ann.b", "another", "more"):
            pass
        osc(*user, "delete", id, "ann.b")
        osc(*db, "delete", id, "more")
        assert "ann.b" not in {row["Name"] for row in osc.shown(*user, "list", id)}

    def root(self) -> None:
        root = ("database", "root")
        had = self.osc.shown(*root, "enable", self.id)
        assert had["name"] == "root"
        with self.enter("root", had["password"]):
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
        with self.enter("ada", "correct-horse") as line:
            line.cursor().execute("SELECT 'heard by the shell'")
        until(
            "it was written down",
            lambda: osc.shown(*log, "show", id, "general")["pending"] > 0,
            self.demo.patience,
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
        larger = self.osc.shown("database", "flavor", "show", self.large)["id"]
        self.osc(*instance, "resize", "flavor", self.id, self.large)
        self.settled()
        shown = self.osc.shown(*instance, "show", self.id)
        assert str(shown["flavor"]) == str(larger)
        assert "403" in self.osc.refused(*instance, "reboot", self.id)
        self.osc(*instance, "reboot", self.id, cloud="admin")
        self.settled()
        self.osc(*instance, "rebuild", self.id, self.image(), cloud="admin")
        self.settled()
        with self.enter("ada", "correct-horse"):
            pass

    def image(self) -> str:
        """Of its version: the one that its server has."""
        deployment = self.demo.deployment
        rows = clients.library(deployment, "admin").mgmt_ds_versions.list()
        ours = (self.datastore, self.version)
        (tags,) = [v.image_tags for v in rows if (v.datastore_name, v.name) == ours]
        with contextlib.closing(self.cloud()) as cloud:
            found = cloud.images.newest(tuple(tags))
            assert found is not None
            return str(found.id)

    def cloud(self) -> Any:
        """The cloud as the control plane sees it; to be closed."""
        return self.demo.deployment.cloud()

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


def by_openstacksdk(
    proxy: Proxy, flavor_name: str, wait: float = 300, **placed: Any
) -> None:
    """Every method of its database proxy, about an instance that is made and deleted.

    ``placed`` says where the instance is to be.
    """
    flavor = proxy.find_flavor(flavor_name, ignore_missing=False)
    assert proxy.get_flavor(flavor.id).name == flavor_name
    made = proxy.create_instance(
        name="by-sdk",
        flavor=flavor.id,
        volume={"size": 1},
        datastore={"type": "mariadb", "version": VERSIONS["mariadb"]},
        **placed,
    )
    made = proxy.wait_for_status(made, "ACTIVE", interval=1, wait=wait)
    assert made.id in {each.id for each in proxy.instances()}
    assert proxy.find_instance("by-sdk", ignore_missing=False).id == made.id
    assert proxy.get_instance(made.id).datastore["type"] == "mariadb"
    proxy.update_instance(made.id, name="by-sdk-too")
    assert proxy.get_instance(made.id).name == "by-sdk-too"
    proxy.create_database(made, name="shop")
    assert [each.name for each in proxy.databases(made)] == ["shop"]
    proxy.create_user(made, name="ann", password="p-of-ann")
    assert [each.name for each in proxy.users(made)] == ["ann"]
    for find, name in (("database", "shop"), ("user", "ann")):
        # the library's own classes say that these cannot be fetched
        with pytest.raises(openstack.exceptions.MethodNotSupported):
            getattr(proxy, f"get_{find}")(name, made)
        with pytest.raises(openstack.exceptions.MethodNotSupported):
            getattr(proxy, f"find_{find}")(name, made, ignore_missing=False)
    proxy.delete_user("ann", made, ignore_missing=False)
    proxy.delete_database("shop", made, ignore_missing=False)
    assert not made.is_root_enabled(proxy.proxy)
    assert made.enable_root_user(proxy.proxy)["name"] == "root"
    assert made.is_root_enabled(proxy.proxy)
    made.restart(proxy.proxy)
    proxy.wait_for_status(made, "ACTIVE", interval=1, wait=wait)
    proxy.delete_instance(made, ignore_missing=False)
    proxy.wait_for_delete(made, interval=1, wait=wait)
    with pytest.raises(openstack.exceptions.NotFoundException):
        proxy.find_instance("by-sdk-too", ignore_missing=False)
