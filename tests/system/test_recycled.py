# SPDX-License-Identifier: Apache-2.0
"""Nothing lost by a click: a deleted instance comes back from the recycle bin with all
that was in it, or from its last backup; and when that is over, nothing is left."""

import contextlib
import typing

import pytest

from tests.system import builds
from tests.system.deployment import Deployment, User, ask, completed, until
from tests.system.shop import Shop
from tests.system.test_backups import Source

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

FOREVER = 300.0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize(("datastore", "name"), builds.params(metafunc.config))


def volumes(deployment: Deployment, id: str) -> list[str]:
    """Those in the cloud that are, or were, this instance's."""
    with contextlib.closing(deployment.cloud()) as cloud:
        return [v.status for v in cloud.volumes.owned() if (v.key or "").startswith(id)]


def bin(demo: User) -> dict[str, dict[str, typing.Any]]:
    answer = demo.ask("GET", "/recycled-instances")
    assert answer.status_code == 200, answer.text
    return {one["id"]: one for one in answer.json()["recycled_instances"]}


def deleted(demo: User, id: str, said: str) -> None:
    answer = demo.ask("DELETE", f"/instances/{id}?{said}")
    assert answer.status_code == 202, answer.text
    until(f"{id} is gone", lambda: demo.show(id) is None, FOREVER)


def undeleted(demo: User, id: str) -> dict[str, typing.Any]:
    path = f"/recycled-instances/{id}/action"
    answer = demo.ask("POST", path, {"undelete": {}})
    assert answer.status_code == 202, answer.text
    assert answer.json()["instance"]["status"] == "BUILD"
    return typing.cast(dict[str, typing.Any], demo.wait(id))


def test_a_deleted_instance_comes_back_with_all_that_was_in_it(
    deployment: Deployment, demo: User, datastore: str, name: str
) -> None:
    builds.offer(deployment, datastore, name)
    shop = Shop(deployment, demo, datastore, name)
    id, had = shop.id, volumes(deployment, shop.id)
    root = demo.ask("POST", f"/instances/{id}/root").json()["user"]
    group = tuned(demo, shop, datastore, name)

    deleted(demo, id, "keep=true")
    assert deployment.violations() == []
    assert volumes(deployment, id) == ["available"] and len(had) == 1
    entry = bin(demo)[id]
    assert (entry["name"], entry["status"]) == (f"upgrade-{datastore}", "RECYCLED")
    assert entry["reclaimed_at"] > entry["deleted_at"]
    answer = demo.ask("GET", f"/recycled-instances/{id}")
    assert answer.json() == {"recycled_instance": entry}

    shop.first = undeleted(demo, id)  # its address is a new one
    assert id not in bin(demo)
    shop.holds()
    shop.has_its_users()
    with demo.connect(shop.first, root["name"], root["password"], "shop") as line:
        assert ask(line, "SELECT COUNT(*) FROM goods")[0][0] == 50
        assert setting(line, datastore) == 77
    assert demo.show(id)["configuration"]["id"] == group

    deleted(demo, id, "final_backup=false&keep=true")
    answer = demo.ask("DELETE", f"/recycled-instances/{id}")
    assert answer.status_code == 202, answer.text
    until(f"{id} is out of the bin", lambda: id not in bin(demo), FOREVER)
    assert volumes(deployment, id) == []
    for path in (f"/modules/{shop.module}", f"/configurations/{group}"):
        assert demo.ask("DELETE", path).status_code in (200, 202)


def tuned(demo: User, shop: Shop, datastore: str, name: str) -> str:
    """A configuration group of the instance's, that is in force."""
    body = {"name": "tuned", "values": {"max_connections": 77}}
    body |= {"datastore": {"type": datastore, "version": name}}
    answer = demo.ask("POST", "/configurations", {"configuration": body})
    assert answer.status_code == 200, answer.text
    group = str(answer.json()["configuration"]["id"])
    attached = {"instance": {"configuration": group}}
    answer = demo.ask("PUT", f"/instances/{shop.id}", attached)
    assert answer.status_code == 202, answer.text
    assert shop.ended("instance.configure")["state"] == "done"
    return group


def setting(line: typing.Any, datastore: str) -> int:
    """What the engine itself says."""
    words = {"postgresql": "SHOW max_connections"}
    said = ask(line, words.get(datastore, "SELECT @@max_connections"))
    return int(said[0][0])


def test_a_deleted_instance_is_restored_from_its_last_backup(
    deployment: Deployment, demo: User, datastore: str, name: str
) -> None:
    source = Source(deployment, demo, datastore, name)
    source.fill()
    before = source.hash(source.id)
    deleted(demo, source.id, "final_backup=true&keep=false")
    assert source.id not in bin(demo)
    assert volumes(deployment, source.id) == []
    found = demo.ask("GET", f"/backups?instance_id={source.id}").json()["backups"]
    (last,) = found
    assert (last["name"], last["scheduled"]) == ("final-source", False)
    completed(demo, last["id"])
    copy = source.restored(last["id"])
    assert source.hash(copy) == before
    source.gone(copy)
    assert demo.ask("DELETE", f"/backups/{last['id']}").status_code == 202
    until("the backup is gone", lambda: source.show(last["id"]) is None, FOREVER)
