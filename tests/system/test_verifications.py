# SPDX-License-Identifier: Apache-2.0
"""A backup is restored on a server of the service's own, checked, and nothing is left.

With a real engine, a real store and real guests (INV-2, INV-10, INV-16).
"""

import contextlib
import typing

import pytest

from tests.system import builds
from tests.system.deployment import VERSIONS, Deployment, User, until
from tests.system.test_backups import FOREVER, Source, spoil
from trove.datastores import registry
from trove.localcloud import rabbitmq
from trove.model import naming
from trove.model.verifications import OWNER
from trove.rpc.broker import Broker

pytestmark = [pytest.mark.root, pytest.mark.localcloud, pytest.mark.backup]

LONG = 15 * 60.0
"""Seconds in which one is verified: a look, a server, a restore, and its end."""

FIRST = ("mariadb", VERSIONS["mariadb"])
"""Verified by its policy, and found sick."""

Plain = dict[str, typing.Any]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "datastore" in metafunc.fixturenames:
        found = [
            each
            for each in builds.params(metafunc.config)
            if registry.get(each.values[0]).can.back_up and tuple(each.values) != FIRST
        ]
        metafunc.parametrize(("datastore", "name"), found)
    if "hashed" in metafunc.fixturenames:
        found = [
            each
            for each in builds.params(metafunc.config)
            if registry.get(each.values[0]).can.hash_rows
        ]
        metafunc.parametrize(("hashed", "name"), found)


def verify(demo: User, id: str) -> None:
    answer = demo.ask("POST", f"/backups/{id}/action", {"verify": {}})
    assert answer.status_code == 202, answer.text


def ended(source: Source, id: str) -> Plain:
    """The backup, when its verification is over."""

    def over() -> Plain | None:
        shown = source.show(id)
        assert shown is not None
        going = shown["verification"] in (None, "WAITING", "RUNNING")
        return None if going else shown

    return typing.cast(Plain, until(f"{id} is verified", over, LONG, every=1))


def ours(deployment: Deployment) -> list[str]:
    """The instances that backups are verified on."""
    sql = "SELECT id FROM instances WHERE project = ? AND deleted_at IS NULL"
    return [id for (id,) in deployment.rows(sql, OWNER)]


def reached(deployment: Deployment, id: str) -> list[tuple[str, int | None]]:
    """The rules by which somebody comes to it, in the cloud."""
    with contextlib.closing(deployment.cloud()) as cloud:
        groups = cloud.network.find_groups(naming.key(id, "group"))
        return [
            (rule.cidr, rule.port)
            for group in groups
            for rule in group.rules
            if rule.direction == "ingress"
        ]


def left(deployment: Deployment, id: str) -> list[str]:
    """What the cloud and the broker still have of an instance."""
    with contextlib.closing(deployment.cloud()) as cloud:
        listed = (
            *cloud.compute.owned(),
            *cloud.volumes.owned(),
            *cloud.network.owned_ports(),
            *cloud.network.owned_groups(),
        )
        found = [str(each.key) for each in listed if id in str(each.key)]
    return found + [user for user in broker(deployment).guests() if user == id]


def broker(deployment: Deployment) -> Broker:
    return rabbitmq.access(deployment.place).broker()


def test_a_backup_is_verified_and_its_server_is_gone(
    deployment: Deployment, demo: User
) -> None:
    """The first by its policy, the second when its user asks; then a bit is turned."""
    source = Source(deployment, demo, *FIRST)
    source.fill()
    policy = {"backup_policy": {"verify": "every", "enabled": False}}
    answer = demo.ask("PUT", f"/instances/{source.id}/backup_policy", policy)
    assert answer.status_code == 200, answer.text
    full = source.back_up()
    assert full["verification"] in ("WAITING", "RUNNING")
    (scratch,) = until("there is a server", lambda: ours(deployment), LONG, every=1)
    until("it has a volume", lambda: len(left(deployment, scratch)) > 3, LONG, every=1)
    assert demo.show(scratch) is None and reached(deployment, scratch) == []
    assert demo.ask("DELETE", f"/backups/{full['id']}").status_code == 422
    shown = ended(source, full["id"])
    assert shown["verification"] == "VERIFIED", shown
    assert shown["verified_at"] and shown["verify_fault"] is None
    assert 0 < shown["restore_seconds"] < LONG
    until("its server is gone", lambda: not ours(deployment), FOREVER, every=1)
    assert left(deployment, scratch) == []
    policy = {"backup_policy": {"verify": "never"}}
    demo.ask("PUT", f"/instances/{source.id}/backup_policy", policy)
    source.fill()
    increment = source.back_up(incremental=1)
    assert increment["verification"] is None
    source.gone(source.id)
    spoil(deployment, increment["id"])
    verify(demo, increment["id"])
    bad = ended(source, increment["id"])
    assert bad["verification"] == "FAILED" and bad["verified_at"] is None
    assert "part 0 was changed" in bad["verify_fault"]
    until("its server is gone", lambda: not ours(deployment), FOREVER, every=1)
    assert demo.ask("DELETE", f"/backups/{full['id']}").status_code == 202
    until("it is gone", lambda: source.show(full["id"]) is None, FOREVER, every=1)
    assert deployment.violations() == []


def test_each_engine_reads_all_of_what_was_restored(
    deployment: Deployment, demo: User, datastore: str, name: str
) -> None:
    source = Source(deployment, demo, datastore, name)
    source.fill()
    made = source.back_up()["id"]
    verify(demo, made)
    shown = ended(source, made)
    assert shown["verification"] == "VERIFIED", shown
    assert 0 < shown["restore_seconds"] < LONG
    until("its server is gone", lambda: not ours(deployment), FOREVER, every=1)
    source.gone(source.id)
    assert demo.ask("DELETE", f"/backups/{made}").status_code == 202
    until("it is gone", lambda: source.show(made) is None, FOREVER, every=1)


def test_rows_are_compared_with_those_that_there_were(
    deployment: Deployment, demo: User, hashed: str, name: str
) -> None:
    """Of a full one, and of an increment where there are any."""
    source = Source(deployment, demo, hashed, name)
    source.fill()
    policy = {"verify": "every", "verify_rows": True, "enabled": False}
    path = f"/instances/{source.id}/backup_policy"
    answer = demo.ask("PUT", path, {"backup_policy": policy})
    assert answer.status_code == 200, answer.text
    assert answer.json()["backup_policy"]["verify_rows"] is True
    made = [source.back_up(row_hashes=True)["id"]]
    if registry.get(hashed).chains(name):
        source.fill()
        made.append(source.back_up(incremental=1, row_hashes=True)["id"])
    for id in made:
        shown = ended(source, id)
        assert shown["verification"] == "VERIFIED", shown
        taken, compared = shown["row_hashes"], shown["verified_rows"]
        assert taken["tables"] > 0 and "none" not in taken, taken
        assert compared["tables"] == compared["equal"] == taken["tables"], compared
    until("its server is gone", lambda: not ours(deployment), FOREVER, every=1)
    source.gone(source.id)
    assert demo.ask("DELETE", f"/backups/{made[0]}").status_code == 202
    until("it is gone", lambda: source.show(made[0]) is None, FOREVER, every=1)
