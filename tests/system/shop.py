# SPDX-License-Identifier: Apache-2.0
"""A shop: an instance with rows in it, which whatever is done to it must not lose."""

import base64
import re
import time
import typing
import uuid

from tests.system.builds import BUILD
from tests.system.deployment import FOREVER, VERSIONS, Deployment, User, ask, until
from trove.datastores import registry

USER = {"name": "ada", "password": "correct horse", "databases": [{"name": "shop"}]}


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

    def has_its_users(self) -> None:
        """Nobody is lost, and nobody came with another image."""
        answer = self.demo.ask("GET", f"/instances/{self.id}/users").json()
        assert [user["name"] for user in answer["users"]] == ["ada"]

    def ended(self, kind: str, within: float = FOREVER) -> dict[str, typing.Any]:
        """The operation of that kind, over."""
        path = f"/operations?instance_id={self.id}"

        def over() -> dict[str, typing.Any] | None:
            found = self.demo.ask("GET", path).json()["operations"][0]
            return found if found["state"] in ("done", "failed", "stuck") else None

        found = until(f"{kind} of {self.id} has ended", over, within)
        assert found["type"] == kind, found
        return typing.cast(dict[str, typing.Any], found)

    def engine(self) -> str:
        """The number that the engine says it is."""
        with self.connected() as line:
            said = str(ask(line, "SELECT VERSION()")[0][0])
        return re.search(r"\d+(\.\d+)+", said)[0]

    def kept(self) -> list[str]:
        """What is kept on the volume."""
        place = f"{registry.get(self.datastore).data}/.trove-kept"
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
