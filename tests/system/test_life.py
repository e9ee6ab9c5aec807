# SPDX-License-Identifier: Apache-2.0
"""Create, connect, restart, delete: each datastore, one and five at once."""

import pytest

from tests.system.deployment import VERSIONS, ask, until
from tests.system.weight import is_small

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

USER = {"name": "ada", "password": "correct horse", "databases": [{"name": "shop"}]}


def enter(demo, shown):
    return demo.connect(shown, USER["name"], USER["password"], "shop")


@pytest.mark.parametrize("datastore", VERSIONS)
def test_a_life(deployment, demo, datastore):
    id = demo.create(datastore, f"life-{datastore}", [USER])
    shown = demo.wait(id)
    with enter(demo, shown) as connection:
        ask(connection, "CREATE TABLE t (n INT)")
        ask(connection, "INSERT INTO t VALUES (42)")
    answer = demo.ask("POST", f"/instances/{id}/action", {"restart": {}})
    assert answer.status_code == 202
    until("it restarts", lambda: demo.show(id)["status"] != "ACTIVE" or _idle(demo, id))
    with enter(demo, demo.wait(id)) as connection:
        assert ask(connection, "SELECT n FROM t")[0][0] == 42
    demo.delete(id)
    demo.gone(id)
    assert demo.ask("DELETE", f"/instances/{id}").status_code == 404


def _idle(demo, id):
    """The restart is over already."""
    ended = demo.deployment.rows(
        "SELECT 1 FROM operations WHERE object_id = ? AND kind = 'instance.restart' "
        "AND state = 'done'",
        id,
    )
    return bool(ended)


def test_five_of_each_at_once(deployment, demo):
    made = [
        demo.create(datastore, f"crowd-{datastore}-{n}", [USER])
        for datastore in VERSIONS
        for n in range(5)
    ]
    for id in made:
        with enter(demo, demo.wait(id)) as connection:
            assert ask(connection, "SELECT 1")[0][0] == 1
    for id in made:
        demo.delete(id)
    for id in made:
        demo.gone(id)


def test_a_delete_wins_over_a_create(deployment, demo):
    id = demo.create("mariadb", "regretted")
    until(
        "its server is made",
        lambda: deployment.at_step(id, "instance.create", "boot_server"),
    )
    demo.delete(id)
    demo.gone(id)


def test_a_guest_is_small(deployment, demo, record_property):
    """At most 60 MB resident, idle, with its engine's driver loaded.

    After a life of its own: where each of the other datastores lives one.
    """
    for datastore in VERSIONS:
        id = next(
            row["id"]
            for row in demo.ask("GET", "/instances").json()["instances"]
            if row["name"] == f"demo-{datastore}"
        )
        is_small(deployment, id, f"idle {datastore}", record_property)
