# SPDX-License-Identifier: Apache-2.0
"""The first steps of a user: instances through the public API, and a query in each.

Nothing here knows more than a user does: Keystone's address and a password, from
clouds.yaml, and the deployment's CA. The passwords of the databases are kept beside
clouds.yaml, so that a second start can connect again.
"""

import dataclasses
import importlib
import json
import pathlib
import sys
import time
import typing

import yaml
from keystoneauth1 import adapter, identity, session

from trove import errors
from trove.datastores import registry
from trove.datastores.spec import Entrance
from trove.localcloud import identity as keystone
from trove.localcloud.layout import Layout
from trove.localcloud.releases import Chosen
from trove.localcloud.store import random_word

FLAVOR = "2"
VOLUME = 1
LONGEST = 900.0
DATABASE = "shop"


@dataclasses.dataclass(slots=True)
class Made:
    """An instance, and how its user gets in."""

    name: str
    datastore: str
    version: str
    user: str
    password: str = dataclasses.field(repr=False)
    id: str = ""
    address: str = ""


class User:
    """A user of the deployment: a session of their cloud in clouds.yaml."""

    def __init__(
        self, place: Layout, cloud: str, say: typing.Callable[[str], object]
    ) -> None:
        clouds = yaml.safe_load(place.clouds_yaml.read_text())["clouds"]
        self.say = say
        self.api = adapter.Adapter(
            session.Session(identity.V3Password(**clouds[cloud]["auth"])),
            service_type="database",
            region_name=clouds[cloud]["region_name"],
        )

    def instances(self) -> dict[str, dict[str, typing.Any]]:
        """The project's instances, by name."""
        rows = self.api.get("/instances").json()["instances"]
        return {row["name"]: row for row in rows}

    def show(self, id: str) -> dict[str, typing.Any]:
        """One instance."""
        shown: dict[str, typing.Any] = self.api.get(f"/instances/{id}").json()
        return shown["instance"]


def make(user: User, place: Layout, chosen: Chosen) -> list[Made]:
    """One instance of each; those that are there are taken as they are."""
    file = place.state / "instances.json"
    kept = json.loads(file.read_text()) if file.exists() else {}
    there = user.instances()
    made = []
    for datastore, build in chosen:
        name = f"demo-{datastore.name}"
        if build != datastore.builds[0]:
            name += f"-{build.version}"
        known = kept.get(name, {})
        if name in there and known.get("id") == there[name]["id"]:
            made.append(Made(**known))
            continue
        one = Made(name, datastore.name, build.version, "ada", random_word(20))
        one.id = _create(user, one)
        kept[name] = dataclasses.asdict(one)
        keystone.write(file, json.dumps(kept, indent=1) + "\n")
        made.append(one)
    return made


def _create(user: User, one: Made) -> str:
    databases = (
        [{"name": DATABASE}] if registry.get(one.datastore).can.databases else []
    )
    order = {
        "name": one.name,
        "flavorRef": FLAVOR,
        "volume": {"size": VOLUME},
        "datastore": {"type": one.datastore, "version": one.version},
        "databases": databases,
        "users": [{"name": one.user, "password": one.password, "databases": databases}],
    }
    answer = user.api.post("/instances", json={"instance": order})
    return str(answer.json()["instance"]["id"])


def wait(user: User, one: Made) -> None:
    """Until it is ACTIVE and HEALTHY; its address is known then."""
    end = time.monotonic() + LONGEST
    shown: dict[str, typing.Any] = {}
    while time.monotonic() < end:
        shown = user.show(one.id)
        if shown["status"] == "ACTIVE" and shown.get("operating_status") == "HEALTHY":
            one.address = shown["addresses"][0]["address"]
            return
        if shown["status"] in ("ERROR", "FAILED"):
            fault = shown.get("fault", {}).get("message", "no fault is told")
            raise errors.Internal(why=f"{one.name} is in ERROR: {fault}")
        time.sleep(0.5)
    raise errors.Unavailable(f"{one.name} is still {shown.get('status')}")


def query(one: Made, place: Layout) -> str:
    """What the server says of itself and of the connection, verified by the CA."""
    datastore = registry.get(one.datastore)
    where = Entrance(
        address=one.address,
        port=datastore.port,
        user=one.user,
        password=one.password,
        database=DATABASE,
        authority=str(place.pki / "ca.pem"),
    )
    version, cipher = _steps(one).enter(where)
    return f"{version}, {cipher}"


def _steps(one: Made) -> typing.Any:
    return importlib.import_module(registry.get(one.datastore).firststeps)


def listing(user: User) -> list[str]:
    """The instances, a line each."""
    rows = user.instances().values()
    shape = "{:<18} {:<10} {:<12} {:<16} {}"
    lines = [shape.format("instance", "status", "operating", "address", "id")]
    for row in rows:
        addresses = [entry["address"] for entry in row.get("addresses", ())]
        lines.append(
            shape.format(
                row["name"],
                row["status"],
                row.get("operating_status", "-"),
                ",".join(addresses) or "-",
                row["id"],
            )
        )
    return lines


def manual(user: User, made: list[Made], place: Layout) -> list[str]:
    """How to connect, how to use the command line, where the logs are."""
    authority = place.pki / "ca.pem"
    lines = [*listing(user), "", f"connect (passwords: {place.state}/instances.json):"]
    for one in made:
        line = _steps(one).CLIENT.format(
            address=one.address, user=one.user, database=DATABASE, authority=authority
        )
        lines.append(f"  {line}")
    return [
        *lines,
        "",
        "the command line (clouds: demo, reader, other, admin):",
        f"  export OS_CLIENT_CONFIG_FILE={place.clouds_yaml} OS_CLOUD=demo",
        # the very client that was installed with this: it need not be on the PATH
        f"  {pathlib.Path(sys.executable).with_name('openstack')} "
        "database instance list",
        "",
        f"logs: {place.log}; state: {place.state}; stop: bin/quickstart --down",
    ]
