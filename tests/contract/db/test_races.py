# SPDX-License-Identifier: Apache-2.0
"""Many at once: quotas, first reports, moves and claims that only one may win."""

import concurrent.futures
import random

import pytest
import sqlalchemy as sa

from trove import errors
from trove.actions import nics
from trove.db.queries import datastores, instances, quotas, reports
from trove.db.session import Database
from trove.db.tables import Instance, Usage
from trove.model.states import Task
from trove.rpc.messages import Report

LIMITS = {"instances": 10, "ram": -1, "volumes": -1}
COST = {"instances": 1, "ram": 1024, "volumes": 5}


def at_once(work, arguments, threads: int = 8) -> list:
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return [
            done.result(120)
            for done in [pool.submit(work, argument) for argument in arguments]
        ]


def write_instance(database: Database, id: str) -> None:
    with database.transaction() as tx:
        tx.add(
            Instance(
                id=id,
                project="demo",
                name=id,
                task=Task.NONE,
                version_id="v",
                flavor_id="1",
                server_number=1,
                created=1.0,
                updated=1.0,
            )
        )


def test_two_hundred_creates_against_a_limit_of_ten(database):
    def create(number: int) -> bool:
        try:
            database.run(
                lambda tx: quotas.reserve(tx, "demo", COST, LIMITS), attempts=20
            )
        except errors.QuotaExceeded:
            return False
        return True

    assert sum(at_once(create, range(200))) == 10
    with database.reading() as tx:
        rows = {row.resource: row for row in tx.scalars(sa.select(Usage))}
    assert {name: row.reserved for name, row in rows.items()} == {
        "instances": 10,
        "ram": 10240,
        "volumes": 50,
    }


def test_counters_come_back_to_nothing(database):
    def live(number: int) -> None:
        unlimited = {"instances": -1}
        for work in (
            lambda tx: quotas.reserve(tx, "demo", COST, unlimited),
            lambda tx: quotas.settle(tx, "demo", COST),
            lambda tx: quotas.give_back(tx, "demo", COST),
        ):
            database.run(work, attempts=20)

    at_once(live, range(40))
    with database.reading() as tx:
        assert {(row.used, row.reserved) for row in tx.scalars(sa.select(Usage))} == {
            (0, 0)
        }


def test_reports_in_any_order_at_once_end_with_the_last(database):
    said = [
        Report(boot=boot, seq=seq, service="healthy" if seq % 3 else "starting")
        for boot in (1, 2)
        for seq in range(30)
    ]
    random.Random(7).shuffle(said)

    def record(report: Report):
        return database.run(
            lambda tx: reports.record(tx, "i-1", report), attempts=20
        ).newest

    kept = at_once(record, said)
    with database.reading() as tx:
        row = reports.last(tx, "i-1")
    assert (row.boot, row.seq, row.service) == (2, 29, "healthy")
    assert 1 <= sum(kept) <= 60


def test_one_of_many_moves_wins(database):
    write_instance(database, "i-1")

    def restart(number: int) -> bool:
        try:
            database.run(
                lambda tx: instances.move(tx, "i-1", Task.REBOOTING), attempts=20
            )
        except errors.InstanceBusy:
            return False
        return True

    assert sum(at_once(restart, range(16))) == 1


def test_a_users_port_is_one_of_many_creates(database):
    nic = {"port": "p-1", "network": "n", "virtual": ["10.0.0.9"]}

    def create(number: int) -> bool:
        def work(tx) -> None:
            nics.refuse_lent(tx, nic)
            tx.add(
                Instance(
                    **{"id": f"i-{number}", "project": "demo", "name": "n"},
                    **{"task": Task.BUILDING, "version_id": "v", "flavor_id": "1"},
                    **{"server_number": number + 1, "created": 1.0, "updated": 1.0},
                    nic=nic,
                    port_id="p-1",
                )
            )

        try:
            database.run(work, attempts=20)
        except nics.PortLent:
            return False
        return True

    assert sum(at_once(create, range(16))) == 1
    with database.reading() as tx:
        assert len(list(tx.scalars(sa.select(Instance.id)))) == 1


def test_a_version_registered_twice_at_once_is_one(database):
    def register(number: int) -> str:
        return database.run(
            lambda tx: (
                datastores.register_version(
                    tx, "mariadb", "10.11", "10.11", manager="mariadb", image_id="x"
                ).id
            ),
            attempts=20,
        )

    assert len(set(at_once(register, range(8), threads=4))) == 1


@pytest.mark.parametrize("name", ["DB", "db", "dß", "dss"])
def test_names_are_what_they_are(database, name):
    """No database may take one name for another: no case, no expansion."""
    with database.transaction() as tx:
        for other in ("DB", "db", "dß", "dss"):
            datastores.register(tx, other)
    with database.reading() as tx:
        assert datastores.find(tx, name, inactive=True).datastore.name == name
