# SPDX-License-Identifier: Apache-2.0
"""A version that does not take the data as they are: PostgreSQL 15 to 17, and back."""

import pytest

from tests.system.builds import image, version
from tests.system.deployment import Deployment, User
from tests.system.shop import Shop

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

LOADER = "usr/lib/postgresql/17/bin/pg_restore"
"""Without it the new version cannot take what the old one said."""
VERSION = "PG_VERSION"
"""The file that says of which version a data directory is."""


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
    kept = ended["id"]
    answer = demo.ask("POST", f"/instances/{shop.id}/action", {"restart": {}})
    assert answer.status_code == 202, answer.text
    assert shop.ended("instance.restart")["state"] == "done"
    shop.holds()
    answer = demo.ask("GET", f"/instances/{shop.id}/users").json()
    assert [user["name"] for user in answer["users"]] == ["ada"]
    back = {"instance": {"datastore_version": "15"}}
    answer = demo.ask("PATCH", f"/instances/{shop.id}", back)
    assert (answer.status_code, "older" in answer.text) == (400, True)
    _stays_until_discarded(demo, shop, kept)
    shop.end()


def _stays_until_discarded(demo: User, shop: Shop, kept: str) -> None:
    """The data of 15 are told with what they take; they go, and those of 17 stay."""
    copies = f"/instances/{shop.id}/copies"
    sizes = {
        copy["name"]: copy["size"] for copy in demo.ask("GET", copies).json()["copies"]
    }
    assert sizes.pop(kept) > 1 << 20
    assert all(name.endswith("-failed") for name in sizes), sizes
    place = f"/srv/postgresql/.trove-kept/{kept}"
    found = shop.deployment.inside(shop.id, "/usr/bin/find", place, "-name", VERSION)
    assert shop.deployment.inside(shop.id, "/bin/cat", found.split()[0]).strip() == "15"
    assert demo.ask("DELETE", f"{copies}/{kept}").status_code == 202
    assert shop.ended("instance.discard")["state"] == "done"
    left = [copy["name"] for copy in demo.ask("GET", copies).json()["copies"]]
    assert left == list(sizes)
    assert shop.kept() == left
    shop.holds()
    assert shop.engine().startswith("17.")
