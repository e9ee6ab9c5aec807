# SPDX-License-Identifier: Apache-2.0
"""A policy has a backup made that nobody asks for, by the clock of a running cloud."""

import datetime
import typing

import pytest

from tests.system.deployment import VERSIONS, Deployment, User, until
from tests.system.test_backups import FOREVER, Source

pytestmark = [pytest.mark.root, pytest.mark.localcloud, pytest.mark.backup]

TURN = 5 * 60.0
"""Seconds within which a minute that is said has come, and a taskmanager has looked."""


def test_a_turn_is_a_backup_that_is_whole(deployment: Deployment, demo: User) -> None:
    source = Source(deployment, demo, "mariadb", VERSIONS["mariadb"])
    path = f"/instances/{source.id}/backup_policy"
    before = demo.ask("GET", path).json()["backup_policy"]
    assert not before["enabled"], "instances of one machine are for trying"
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=2)
    said = {"window": f"{soon:%H:%M}", "increment_every_hours": None}
    answer = demo.ask("PUT", path, {"backup_policy": said})
    assert answer.status_code == 200, answer.text
    assert answer.json()["backup_policy"]["next_due"][:16] == f"{soon:%Y-%m-%dT%H:%M}"

    def made() -> str | None:
        found = demo.ask("GET", f"/instances/{source.id}/backups").json()["backups"]
        return found[0]["id"] if found else None

    backup = source.completed(
        typing.cast(str, until("it is made", made, TURN, every=1))
    )
    assert backup["scheduled"] and backup["name"].startswith("scheduled-")

    def settled() -> bool:
        policy = demo.ask("GET", path).json()["backup_policy"]
        return bool(policy["last_run"]) and policy["last_fault"] is None

    until("the policy says so", settled, FOREVER, every=1)
    source.gone(source.id)
    assert demo.ask("DELETE", f"/backups/{backup['id']}").status_code == 202
    until("it is gone", lambda: source.show(backup["id"]) is None, FOREVER, every=1)
