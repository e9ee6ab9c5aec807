# SPDX-License-Identifier: Apache-2.0
"""Servers built anew over real data: another build, a broken one, and the way back."""

import typing

import pytest

from tests.system import builds
from tests.system.builds import BUILD, broken, image, version
from tests.system.deployment import VERSIONS, Deployment, User
from tests.system.shop import Shop
from trove.datastores import rules
from trove.localcloud import guestimage, programs, releases

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

SICK = {
    "mariadb": ("usr/sbin/mariadbd", "--innodb-read-only"),
    "postgresql": (
        "usr/lib/postgresql/15/bin/postgres",
        "-c synchronous_standby_names=nobody",
    ),
}
"""A server, and a word with which it serves and takes no write: the guest gives it up
after two minutes. PostgreSQL's is tried with ``--all-datastores``."""
SAID = "a write failed"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        metafunc.parametrize(("datastore", "name"), builds.params(metafunc.config))
    if "sick" in metafunc.fixturenames:
        every = metafunc.config.getoption("all_datastores")
        metafunc.parametrize("sick", SICK if every else ["mariadb"])


def test_another_build_of_the_version_and_the_way_back(
    deployment: Deployment, demo: User, admin: User, datastore: str, name: str
) -> None:
    builds.offer(deployment, datastore, name)
    mine, next_one, number = f"own-{name}", f"next-{name}", f"{name}.99"
    first = image(deployment, datastore, {}, name)
    own = version(admin, datastore, mine, first, number)
    shop = Shop(deployment, demo, datastore, mine)
    assert shop.build() == ""
    path, nothing = f"/mgmt/instances/{shop.id}/upgrade", {"upgrade": {}}
    answer = admin.ask("POST", path, nothing)
    assert (answer.status_code, "newest image" in answer.text) == (400, True)
    second = image(deployment, datastore, {BUILD: "second"}, name)
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
    assert demo.show(shop.id)["datastore"]["version"] == mine
    assert shop.kept() == []
    answer = admin.ask("POST", path, nothing)
    assert (answer.status_code, second in answer.text) == (400, True)

    third = image(deployment, datastore, broken(datastore, name), name)
    version(admin, datastore, next_one, third, number)
    shop.upgrade(next_one)
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
    assert shown["datastore"]["version"] == mine
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


@pytest.mark.parametrize("datastore", VERSIONS)
def test_a_minor_upgrade_and_the_way_back(
    deployment: Deployment, demo: User, admin: User, datastore: str
) -> None:
    """From the one to the other of the two builds that Debian has of each engine, the
    point release's and the security team's.

    Between a point release and the next security update there may be one alone: it
    fails then, and says what to do (``builds.Archive.two``).
    """
    name = VERSIONS[datastore]
    older, newer = builds.Archive(deployment, datastore, name).two()
    old = image(deployment, datastore, {}, name, older.layers)
    version(admin, datastore, older.number, old, older.number)
    shop = Shop(deployment, demo, datastore, older.number)
    assert shop.engine() == older.number

    files, wrong = broken(datastore, name), f"{newer.number}-broken"
    bad = image(deployment, datastore, files, name, newer.layers)
    version(admin, datastore, wrong, bad, newer.number)
    shop.upgrade(wrong)
    ended = shop.ended("instance.upgrade")
    assert (ended["state"], "prepare" in ended["fault"]) == ("failed", True), ended
    shop.holds()
    shop.has_its_users()
    assert (shop.engine(), shop.build()) == (older.number, "")
    assert demo.show(shop.id)["datastore"]["version"] == older.number
    kept = [f"{ended['id']}-failed"]
    assert shop.kept() == kept

    new = image(deployment, datastore, {}, name, newer.layers)
    version(admin, datastore, newer.number, new, newer.number)
    shop.upgrade(newer.number)
    ended = shop.ended("instance.upgrade")
    assert ended["state"] == "done", ended
    shop.holds()
    shop.has_its_users()
    assert shop.engine() == newer.number
    shown = demo.show(shop.id)
    assert shown["datastore"]["version"] == newer.number
    assert shown.get("fault") is None and shop.kept() == kept
    shop.end()


def test_an_upgrade_to_a_sick_database_leads_back(
    deployment: Deployment, demo: User, admin: User, sick: str
) -> None:
    """The new engine starts, and takes the data over; only it is never healthy."""
    path, word = SICK[sick]
    datastore, name = sick, VERSIONS[sick]
    wrapped = f'#!/bin/sh\nexec /{path}.real "$@" {word}\n'
    server = builds.read(deployment, datastore, name, path)
    files = {path: wrapped, f"{path}.real": server, BUILD: "sick"}
    wanted = f"{name}-sick"
    version(admin, datastore, wanted, image(deployment, datastore, files, name))
    shop = Shop(deployment, demo, datastore)
    before = shop.engine()
    shop.upgrade(wanted)
    ended = shop.ended("instance.upgrade")
    assert ended["state"] == "failed"
    assert SAID in ended["fault"]
    shop.holds()
    shop.has_its_users()
    assert (shop.engine(), shop.build()) == (before, "")
    shown = demo.show(shop.id)
    assert shown["datastore"]["version"] == name
    assert SAID in shown["fault"]["message"]
    assert shop.kept() == [f"{ended['id']}-failed"]
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
    bad = image(deployment, "mariadb", broken("mariadb", "11.8"), "11.8")
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
    shop.has_its_users()
    _has_rules_of_its_own(demo, shop, built)
    back = {"instance": {"datastore_version": VERSIONS["mariadb"]}}
    answer = demo.ask("PATCH", f"/instances/{shop.id}", back)
    assert (answer.status_code, "older" in answer.text) == (400, True)
    shop.end()
