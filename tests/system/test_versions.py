# SPDX-License-Identifier: Apache-2.0
"""A version that does not take the data as they are: PostgreSQL 15 to 17, and back."""

import pytest

from tests.system.builds import image, version
from tests.system.deployment import Deployment, User
from tests.system.shop import Shop

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

LOADER = "usr/lib/postgresql/17/bin/pg_restore"
"""Without it the new version cannot take what the old one said."""


def test_from_postgresql_15_to_17_and_back_when_it_fails(
    deployment: Deployment, demo: User, admin: User
) -> None:
    words = ("--datastores=postgresql:17", "--no-instances")
    deployment.quickstart(*words, within=1500)
    shop = Shop(deployment, demo, "postgresql")
    assert shop.engine().startswith("15.")
    broken = {LOADER: "#!/bin/sh\necho cannot load >&2\nexit 1\n"}
    bad = image(deployment, "postgresql", broken, "17")
    version(admin, "postgresql", "17-broken", bad, "17.9")
    shop.upgrade("17-broken")
    ended = shop.ended("instance.upgrade")
    assert ended["state"] == "failed"
    assert "cannot load" in ended["fault"]
    shop.holds()
    assert shop.engine().startswith("15.")
    assert shop.kept() == [f"{ended['id']}-failed"]

    shop.upgrade("17")
    ended = shop.ended("instance.upgrade")
    assert ended["state"] == "done", ended
    shop.holds()
    assert shop.engine().startswith("17.")
    place = "/srv/postgresql/.trove-carried"
    assert shop.deployment.inside(shop.id, "/bin/ls", "-A", place).split() == []
    answer = demo.ask("POST", f"/instances/{shop.id}/action", {"restart": {}})
    assert answer.status_code == 202, answer.text
    assert shop.ended("instance.restart")["state"] == "done"
    shop.holds()
    answer = demo.ask("GET", f"/instances/{shop.id}/users").json()
    assert [user["name"] for user in answer["users"]] == ["ada"]
    back = {"instance": {"datastore_version": "15"}}
    answer = demo.ask("PATCH", f"/instances/{shop.id}", back)
    assert (answer.status_code, "older" in answer.text) == (400, True)
    shop.end()
