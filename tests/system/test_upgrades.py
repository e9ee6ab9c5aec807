# SPDX-License-Identifier: Apache-2.0
"""Servers built anew over real data: another build, a broken one, and the way back."""

import base64
import contextlib
import pathlib
import time
import typing
import uuid

import pytest

from tests.system.deployment import VERSIONS, Deployment, User, ask, until
from trove.datastores import rules
from trove.localcloud import assembly, guestimage, programs, releases, things
from trove.localcloud.store import Store

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

USER = {"name": "ada", "password": "correct horse", "databases": [{"name": "shop"}]}
BUILD = "etc/trove-build"
BROKEN = {
    "mariadb": "usr/bin/mariadb-upgrade",
    "postgresql": "usr/lib/postgresql/15/bin/postgres",
}
"""A program without which the new version makes no database of the data."""
NUMBERS = {"mariadb": "10.11.99", "postgresql": "15.99"}
DATA = {"mariadb": "/srv/mariadb", "postgresql": "/srv/postgresql"}


def image(
    deployment: Deployment, datastore: str, files: dict[str, str], *tags: str
) -> str:
    """The id of another build: the content with these tags, and these files above."""
    place = deployment.place
    layer = pathlib.Path(place.state) / f"layer-{uuid.uuid4()}"
    layer.mkdir()
    for name, text in files.items():
        path = layer / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for path in (layer, *layer.rglob("*")):
        path.chmod(0o755)
    wanted = {datastore, *(tags or (VERSIONS[datastore],))}
    now = time.time()
    with rows(deployment) as store, store.transaction() as tx:
        first = next(row for row in tx.all(things.Image) if wanted <= set(row.tags))
        row = things.Image(
            str(uuid.uuid4()),
            first.project,
            f"another-{datastore}",
            now,
            now,
            [str(layer), *first.layers],
            ["another"],
        )
        tx.put(row)
    return row.id


@contextlib.contextmanager
def rows(deployment: Deployment) -> typing.Iterator[Store]:
    """The cloud's own rows, as who brings an image writes them."""
    store = assembly.store_of(deployment.place)
    try:
        yield store
    finally:
        store.close()


def version(
    admin: User, datastore: str, name: str, image: str, number: str = ""
) -> str:
    """The id of a new one, which is of this image alone."""
    body = {
        "name": name,
        "datastore_name": datastore,
        "datastore_manager": datastore,
        "version": number or NUMBERS[datastore],
        "image": image,
        "active": True,
    }
    answer = admin.ask("POST", "/mgmt/datastore-versions", {"version": body})
    assert answer.status_code == 202, answer.text
    answer = admin.ask("GET", f"/datastores/{datastore}/versions/{name}")
    return str(answer.json()["version"]["id"])


class Shop:
    """An instance with rows in it, and a module."""

    def __init__(
        self, deployment: Deployment, demo: User, datastore: str, version: str = ""
    ) -> None:
        self.deployment, self.demo, self.datastore = deployment, demo, datastore
        contents = base64.b64encode(b"message = here").decode()
        module = {"name": f"m-{uuid.uuid4()}", "module_type": "ping"}
        answer = demo.ask(
            "POST", "/modules", {"module": module | {"contents": contents}}
        )
        assert answer.status_code == 200, answer.text
        self.module = answer.json()["module"]["id"]
        order = {
            "name": f"upgrade-{datastore}",
            "flavorRef": 1,
            "volume": {"size": 1},
            "datastore": {
                "type": datastore,
                "version": version or VERSIONS[datastore],
            },
            "databases": [{"name": "shop"}],
            "users": [USER],
            "modules": [{"id": self.module}],
        }
        answer = demo.ask("POST", "/instances", {"instance": order})
        assert answer.status_code == 200, answer.text
        self.id = str(answer.json()["instance"]["id"])
        self.first = demo.wait(self.id)
        with self.connected() as line:
            ask(line, "CREATE TABLE goods (id INTEGER PRIMARY KEY, name VARCHAR(20))")
            for n in range(50):
                ask(line, "INSERT INTO goods VALUES (%s, %s)", n, f"thing {n}")

    def connected(self) -> typing.Any:
        shown = self.demo.wait(self.id)
        password = typing.cast(str, USER["password"])
        return self.demo.connect(shown, "ada", password, "shop")

    def holds(self) -> None:
        """Every row is there, new ones are taken, the address and the module are."""
        with self.connected() as line:
            rows = ask(line, "SELECT id, name FROM goods WHERE id < 50 ORDER BY id")
            assert [tuple(row) for row in rows] == [
                (n, f"thing {n}") for n in range(50)
            ]
            fresh = int(time.time())
            ask(line, "INSERT INTO goods VALUES (%s, %s)", fresh, "fresh")
            ask(line, "DELETE FROM goods WHERE id = %s", fresh)
        assert self.demo.show(self.id)["ip"] == self.first["ip"]
        path = f"/instances/{self.id}/modules?from_guest=1"
        (had,) = self.demo.ask("GET", path).json()["modules"]
        assert (had["status"], had["message"]) == ("OK", "here")

    def ended(self, kind: str) -> dict[str, typing.Any]:
        """The operation of that kind, over."""
        path = f"/operations?instance_id={self.id}"

        def over() -> dict[str, typing.Any] | None:
            found = self.demo.ask("GET", path).json()["operations"][0]
            return found if found["state"] in ("done", "failed", "stuck") else None

        found = until(f"{kind} of {self.id} has ended", over)
        assert found["type"] == kind, found
        return typing.cast(dict[str, typing.Any], found)

    def engine(self) -> str:
        """What the engine says it is."""
        with self.connected() as line:
            return str(ask(line, "SELECT VERSION()")[0][0])

    def kept(self) -> list[str]:
        """What is kept on the volume."""
        place = f"{DATA[self.datastore]}/.trove-kept"
        return self.deployment.inside(self.id, "/bin/ls", "-A", place).split()

    def build(self) -> str:
        """The build that it runs."""
        done = self.deployment.inside(
            self.id, "/usr/bin/find", "/etc", "-maxdepth", "1", "-name", "trove-build"
        )
        return done.strip() and self.deployment.inside(self.id, "/bin/cat", f"/{BUILD}")

    def takes_and_leaves(self, group: str) -> None:
        """Its guest reads each value back from the engine before it says done."""
        for wanted in (group, None):
            body = {"instance": {"configuration": wanted}}
            answer = self.demo.ask("PUT", f"/instances/{self.id}", body)
            assert answer.status_code == 202, answer.text
            ended = self.ended("instance.configure")
            assert ended["state"] == "done", ended
        answer = self.demo.ask("DELETE", f"/configurations/{group}")
        assert answer.status_code == 202, answer.text

    def upgrade(self, wanted: str) -> None:
        body = {"instance": {"datastore_version": wanted}}
        answer = self.demo.ask("PATCH", f"/instances/{self.id}", body)
        assert answer.status_code == 202, answer.text
        assert self.demo.show(self.id)["status"] == "UPGRADE"

    def end(self) -> None:
        self.demo.delete(self.id)
        self.demo.gone(self.id)
        assert self.demo.ask("DELETE", f"/modules/{self.module}").status_code == 200


@pytest.mark.parametrize("datastore", VERSIONS)
def test_another_build_of_the_version_and_the_way_back(
    deployment: Deployment, demo: User, admin: User, datastore: str
) -> None:
    own = version(admin, datastore, "own", image(deployment, datastore, {}))
    shop = Shop(deployment, demo, datastore, "own")
    assert shop.build() == ""
    path, nothing = f"/mgmt/instances/{shop.id}/upgrade", {"upgrade": {}}
    answer = admin.ask("POST", path, nothing)
    assert (answer.status_code, "newest image" in answer.text) == (400, True)
    second = image(deployment, datastore, {BUILD: "second"})
    brought = admin.ask("PATCH", f"/mgmt/datastore-versions/{own}", {"image": second})
    assert brought.status_code == 202, brought.text
    assert demo.ask("POST", path, nothing).status_code == 403
    answer = admin.ask("POST", path, nothing)
    assert answer.status_code == 202, answer.text
    assert demo.show(shop.id)["status"] == "UPGRADE"
    ended = shop.ended("instance.upgrade")
    assert ended["state"] == "done", ended
    shop.holds()
    assert shop.build() == "second"
    assert demo.show(shop.id)["datastore"]["version"] == "own"
    assert shop.kept() == []
    answer = admin.ask("POST", path, nothing)
    assert (answer.status_code, second in answer.text) == (400, True)

    broken = {BROKEN[datastore]: "#!/bin/sh\nexit 1\n", BUILD: "broken"}
    version(admin, datastore, "third", image(deployment, datastore, broken))
    shop.upgrade("third")
    ended = shop.ended("instance.upgrade")
    assert ended["state"] == "failed", ended
    assert "prepare" in ended["fault"]
    shop.holds()
    assert shop.kept() == [f"{ended['id']}-failed"], "nobody's data are deleted"
    copies = f"/instances/{shop.id}/copies"
    (copy,) = demo.ask("GET", copies).json()["copies"]
    assert copy["name"] == f"{ended['id']}-failed" and copy["size"] > 2**20
    assert shop.build() == "second"
    shown = demo.show(shop.id)
    assert shown["datastore"]["version"] == "own"
    assert "prepare" in shown["fault"]["message"]

    assert demo.ask("DELETE", f"{copies}/{copy['name']}").status_code == 202
    assert shop.ended("instance.discard")["state"] == "done"
    assert demo.ask("GET", copies).json() == {"copies": []}
    assert shop.kept() == []
    shop.holds()

    body = {"rebuild": {"image_id": second}}
    answer = admin.ask("POST", f"/mgmt/instances/{shop.id}/action", body)
    assert answer.status_code == 202, answer.text
    assert demo.show(shop.id)["status"] == "BUILD"
    assert shop.ended("instance.rebuild")["state"] == "done"
    shop.holds()
    assert demo.show(shop.id).get("fault") is None
    shop.end()


def _has_rules_of_its_own(demo: User, shop: Shop, built: guestimage.GuestImage) -> None:
    """What 11.8 says of itself is loaded, differs from 10.11's, and is true of it."""
    file = built.rules("mariadb")
    said = rules.read(file.read_text(), "f")
    assert (said.engine or "").startswith("11.8.")

    def group(number: str, **values: typing.Any) -> typing.Any:
        datastore = {"type": "mariadb", "version": number}
        body = {"name": number, "values": values, "datastore": datastore}
        return demo.ask("POST", "/configurations", {"configuration": body})

    only = {"binlog_row_image": "FULL_NODUP"}
    assert group(VERSIONS["mariadb"], **only).status_code == 422
    assert group("11.8", innodb_change_buffering="all").status_code == 422
    least = {
        name: rule["min"] for name, rule in said.rules.items() if "min" in rule
    } | only
    del least["innodb_buffer_pool_size"]  # how small is the engine's own sum
    answer = group("11.8", **least)
    assert answer.status_code == 200, answer.text
    shop.takes_and_leaves(answer.json()["configuration"]["id"])


def test_from_mariadb_10_11_to_11_8_and_back_when_it_fails(
    deployment: Deployment, demo: User, admin: User
) -> None:
    """The new version has had the data in its hands when it fails: they come back."""
    place = deployment.place
    built = guestimage.build(
        place.cache,
        programs.Host(),
        guestimage.printed,
        release=releases.release("trixie"),
    )
    deployment.quickstart("--datastores=mariadb:11.8", "--no-instances")
    shop = Shop(deployment, demo, "mariadb")
    broken = {BROKEN["mariadb"]: "#!/bin/sh\nexit 1\n"}
    bad = image(deployment, "mariadb", broken, "11.8")
    version(admin, "mariadb", "11.8-broken", bad, "11.8.9")
    shop.upgrade("11.8-broken")
    ended = shop.ended("instance.upgrade")
    assert (ended["state"], "mariadb-upgrade" in ended["fault"]) == ("failed", True)
    shop.holds()
    assert shop.engine().startswith("10.11.")

    shop.upgrade("11.8")
    ended = shop.ended("instance.upgrade")
    assert ended["state"] == "done", ended
    shop.holds()
    assert shop.engine().startswith("11.8.")
    answer = demo.ask("POST", f"/instances/{shop.id}/action", {"restart": {}})
    assert answer.status_code == 202, answer.text
    shop.holds()
    answer = demo.ask("GET", f"/instances/{shop.id}/users").json()
    assert [user["name"] for user in answer["users"]] == ["ada"]
    _has_rules_of_its_own(demo, shop, built)
    back = {"instance": {"datastore_version": VERSIONS["mariadb"]}}
    answer = demo.ask("PATCH", f"/instances/{shop.id}", back)
    assert (answer.status_code, "older" in answer.text) == (400, True)
    shop.end()
