# SPDX-License-Identifier: Apache-2.0
"""``openstack database ...``: the shell itself, its commands one after the other.

The contract's appendix A lists what each puts on the wire. Here each is run, and what
it prints or changes is looked at.
"""

import contextlib
import io
import json
import pathlib
import typing
from collections.abc import Iterator

import pytest

from tests.api.test_clients import served
from tests.api.world import ADMINS, DEMO, World
from tests.keymanager import serving
from tests.pkcs12 import Authority

shell = pytest.importorskip("openstackclient.shell")
managers = pytest.importorskip("openstackclient.common.clientmanager")

Any = typing.Any


class Openstack:
    """Runs commands as ``member``, or as who is named."""

    def __init__(self, world: World, front: "Front", url: str) -> None:
        self.world, self.front, self.url = world, front, url
        front.world = world

    def run(self, *words: str, caller: str = "member") -> tuple[int, str, str]:
        """The exit code, what was printed, and what was printed beside it.

        Beside it is not only the shell's: another library's logging writes there too.
        """
        out, err = io.StringIO(), io.StringIO()
        self.front.caller = caller
        who = ["--os-auth-type", "admin_token", "--os-token", "member"]
        who += ["--os-endpoint", self.url]
        for place in managers.ClientManager.__mro__:
            for cached in vars(place).values():
                if hasattr(cached, "_handle"):
                    cached._handle = None  # where another test of this process was
        with contextlib.redirect_stderr(err), contextlib.redirect_stdout(out):
            kind = () if words[0] == "datastore" else ("database",)
            code = shell.OpenStackShell().run([*who, *kind, *words])
        return code, out.getvalue(), err.getvalue()

    def __call__(self, *words: str, caller: str = "member") -> str:
        code, said, beside = self.run(*words, caller=caller)
        assert code == 0, (words, said, beside)
        return said

    def shown(self, *words: str, caller: str = "member") -> Any:
        return json.loads(self(*words, "-f", "json", caller=caller))

    def refused(self, *words: str, caller: str = "member") -> str:
        code, said, beside = self.run(*words, caller=caller)
        assert code != 0, (words, said, beside)
        return said + beside


class Front:
    """One address for all worlds: the shell remembers where it found the service."""

    def __init__(self) -> None:
        self.world: World | None = None
        self.caller = "member"
        self.more: dict[str, str] = {}
        """What Keystone's middleware would have set besides."""

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        assert self.world is not None
        environ["HTTP_X_TEST_CALLER"] = self.caller
        environ.update(self.more)
        if self.caller == "admin":
            environ["PATH_INFO"] = environ["PATH_INFO"].replace(DEMO, ADMINS)
        return self.world.application(environ, start)


@pytest.fixture(scope="module")
def front() -> Iterator[tuple[Front, str]]:
    made = Front()
    with served(made) as url:
        yield made, url


@pytest.fixture
def osc(world: World, front: tuple[Front, str]) -> Openstack:
    return Openstack(world, *front)


def test_what_there_is(osc: Openstack) -> None:
    assert {row["Name"] for row in osc.shown("flavor", "list")} >= {"tiny", "small"}
    assert osc.shown("flavor", "show", "1")["ram"] == 512
    assert osc.shown("flavor", "show", "tiny")["name"] == "tiny"
    assert {row["Name"] for row in osc.shown("datastore", "list")} >= {"mariadb"}
    versions = osc.shown("datastore", "version", "list", "mariadb")
    assert [row["Name"] for row in versions] == ["10.11"]
    words = ("version", "show", "10.11", "--datastore", "mariadb")
    assert osc.shown("datastore", *words)["name"] == "10.11"
    assert "max_instances" in osc("limit", "list")
    assert osc.shown("cluster", "list") == []


def test_a_certificate_of_a_users_own(
    world: World, osc: Openstack, tmp_path: pathlib.Path
) -> None:
    id = world.active(name="mine")
    made = Authority().server()
    world.desks.certificates[id] = made.pem
    assert osc.shown("ssl", "show", "mine")["certificate.cn"] == "db.example.org"
    shown = osc.shown("ssl", "show", "mine", "--include-certificate")
    assert shown["certificate.payload"] == made.pem
    assert "basic" in osc.refused("ssl", "disable", "mine")
    assert "return to" in osc.refused("ssl", "rollback", "mine")
    with serving(tmp_path) as keys:
        osc.front.more = {
            "HTTP_X_AUTH_TOKEN": f"{DEMO}/member",
            "HTTP_X_SERVICE_CATALOG": keys.catalogue(),
        }
        words = [keys.store(made.pkcs12("p")), "--mode", "mtls"]
        words += ["--password_ref", keys.store(b"p", text=True)]
        assert osc.shown("ssl", "enable", "mine", *words)["status"] == "on"
    osc.front.more = {}
    assert world.operations(id)[-1].input["mode"] == "mtls"
    world.finish(id)
    world.desks.brought[id] = "mtls"
    assert osc.shown("ssl", "rollback", "mine")["mode"] == "mtls"


def test_an_instance_from_create_to_delete(world: World, osc: Openstack) -> None:
    made = osc.shown(
        *("instance", "create", "mine", "--flavor", "1", "--size", "2"),
        *("--databases", "d", "--users", "u:p", "--nic", "net-id=net-1"),
        *("--datastore", "mariadb", "--datastore-version", "10.11"),
    )
    id = made["id"]
    assert made["status"] == "BUILD"
    world.finish(id)
    assert osc.shown("instance", "show", "mine")["status"] == "ACTIVE"
    assert [row["ID"] for row in osc.shown("instance", "list")] == [id]
    listed = osc.shown("instance", "list", "--all-projects", caller="admin")
    assert [row["ID"] for row in listed] == [id]
    osc("instance", "update", "mine", "--name", "yours")
    assert osc.shown("instance", "show", id)["name"] == "yours"
    for words in (
        ("update", id, "--allowed-cidr", "10.0.0.0/8"),
        ("restart", id),
        ("resize", "volume", id, "3"),
        ("resize", "flavor", id, "2"),
    ):
        osc("instance", *words)
        world.finish(id)
    osc("instance", "reboot", id, caller="admin")
    world.finish(id)
    assert "403" in osc.refused("instance", "reset", "status", id)
    osc("instance", "delete", id)
    assert osc.shown("instance", "show", id)["status"] == "SHUTDOWN"


def test_databases_users_and_root(world: World, osc: Openstack) -> None:
    id = world.active()
    osc("db", "create", id, "shop", "--character_set", "utf8")
    assert osc.shown("db", "list", id) == [{"Name": "shop"}]
    osc("user", "create", id, "ann.b", "p", "--databases", "shop", "--host", "10.0.0.1")
    (row,) = osc.shown("user", "list", id)
    assert (row["Name"], row["Host"], row["Databases"]) == ("ann.b", "10.0.0.1", "shop")
    who = ("ann.b", "--host", "10.0.0.1")
    assert osc.shown("user", "show", id, *who)["name"] == "ann.b"
    assert osc.shown("user", "show", "access", id, *who) == [{"Name": "shop"}]
    osc("db", "create", id, "more")
    osc("user", "grant", "access", id, "ann.b", "more", "--host", "10.0.0.1")
    osc("user", "revoke", "access", id, "ann.b", "shop", "--host", "10.0.0.1")
    assert osc.shown("user", "show", "access", id, *who) == [{"Name": "more"}]
    osc("user", "update", "attributes", id, *who, "--new_password", "q")
    osc("user", "delete", id, *who)
    assert osc.shown("user", "list", id) == []
    osc("db", "delete", id, "more")
    assert len(osc.shown("root", "enable", id)["password"]) > 8
    assert str(osc.shown("root", "show", id)["is_root_enabled"]) == "True"
    osc("root", "disable", id)
    assert str(osc.shown("root", "show", id)["is_root_enabled"]) == "False"


def test_configuration_groups(world: World, osc: Openstack) -> None:
    id = world.active()
    made = osc.shown(
        *("configuration", "create", "fast", '{"max_connections": 77}'),
        *("--datastore", "mariadb", "--datastore-version", "10.11"),
    )
    assert [row["Name"] for row in osc.shown("configuration", "list")] == ["fast"]
    assert osc.shown("configuration", "show", "fast")["name"] == "fast"
    osc("configuration", "attach", id, made["id"])
    world.finish(id)
    (row,) = osc.shown("configuration", "instances", made["id"])
    assert row["ID"] == id
    osc("configuration", "detach", id)
    world.finish(id)
    assert osc.shown("configuration", "default", id)["port"]
    words = ("configuration", "parameter", "list", "10.11", "--datastore", "mariadb")
    assert "max_connections" in {row["Name"] for row in osc.shown(*words)}
    osc("configuration", "delete", made["id"])
    assert osc.shown("configuration", "list") == []


def test_backups(world: World, osc: Openstack) -> None:
    id = world.active(name="mine")
    words = ("nightly", "--instance", "mine", "--description", "all of it")
    made = osc.shown("backup", "create", *words)
    assert (made["status"], made["instance_id"]) == ("NEW", id)
    assert "running" in osc.refused("backup", "delete", made["id"])
    world.back_up(made["id"])
    (row,) = osc.shown("backup", "list")
    assert (row["Name"], row["Status"]) == ("nightly", "COMPLETED")
    assert osc.shown("backup", "list", "--datastore", "postgresql") == []
    (row,) = osc.shown("backup", "list", "instance", "mine")
    assert row["ID"] == made["id"]
    assert osc.shown("backup", "show", "nightly")["size"] == 0.5
    more = osc.shown("backup", "create", "b", "--instance", "mine", "--incremental")
    assert more["parent_id"] == made["id"]
    world.back_up(more["id"])
    words = ("--flavor", "1", "--size", "1", "--nic", "net-id=net-1")
    words += ("--datastore", "mariadb", "--datastore-version", "10.11")
    again = osc.shown("instance", "create", "again", *words, "--backup", "nightly")
    assert again["status"] == "BUILD"
    assert "being made of it" in osc.refused("backup", "delete", "nightly")
    world.finish(again["id"])
    osc("backup", "delete", "nightly")
    assert {row["Status"] for row in osc.shown("backup", "list")} == {"DELETING"}
    assert "nothing" in osc.refused("backup", "show", "nothing")


def test_where_backups_go(osc: Openstack) -> None:
    words = ("strategy", "create", "--swift-container", "c")
    assert osc.shown("backup", *words)["swift_container"] == "c"
    (row,) = osc.shown("backup", "strategy", "list")
    assert row["Swift Container"] == "c"
    osc("backup", "strategy", "delete")
    assert osc.shown("backup", "strategy", "list") == []


def test_logs(world: World, osc: Openstack) -> None:
    id = world.active()
    assert {row["Name"] for row in osc.shown("log", "list", id)} == {
        "general",
        "slow_query",
    }
    assert osc.shown("log", "set", id, "general", "--enable")["status"] == "Enabled"
    assert osc.shown("log", "show", id, "general")["type"] == "USER"


@pytest.mark.parametrize(
    "words",
    [
        ("instance", "show", "nothing"),
        ("instance", "delete", "nothing"),
        ("cluster", "show", "nothing"),
        ("configuration", "show", "nothing"),
        ("db", "list", "nothing"),
    ],
)
def test_what_is_not_there_is_said(osc: Openstack, words: tuple[str, ...]) -> None:
    assert "nothing" in osc.refused(*words)
