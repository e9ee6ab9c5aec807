# SPDX-License-Identifier: Apache-2.0
"""Counters are repaired while the service runs."""

import concurrent.futures
import threading

from tests.contract.db.test_races import at_once
from trove.actions import recount
from trove.db.queries import quotas
from trove.db.tables import Instance
from trove.model.quotas import cost_of_instance
from trove.model.states import Task

COST = cost_of_instance(512, 2)


def make(database, id: str) -> None:
    """An instance of demo that is up, its row before its counter as flows may do."""

    def work(tx) -> None:
        tx.add(
            Instance(
                id=id,
                project="demo",
                name=id,
                task=Task.NONE,
                version_id="v",
                flavor_id="1",
                server_number=1,
                was_active=True,
                ram=512,
                volume_size=2,
                created=1.0,
                updated=1.0,
            )
        )
        tx.flush()
        quotas.reserve(tx, "demo", COST, {})
        quotas.settle(tx, "demo", COST)

    database.run(work, attempts=20)


def test_a_repair_takes_nothing_from_what_happens_meanwhile(database):
    """INV-5"""
    database.run(lambda tx: quotas.reserve(tx, "demo", {"instances": 7}, {}))
    over = threading.Event()

    def mend() -> list[recount.Line]:
        found = []
        while not over.is_set():
            found += recount.repair(database, "demo")
        return found

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        mending = pool.submit(mend)
        try:
            at_once(lambda number: make(database, f"i-{number}"), range(40), threads=4)
        finally:
            over.set()
        wrong = mending.result(60)
    # the one that was wrong from the beginning, and none that was wrong by the repair
    assert [(line.resource, line.reserved) for line in wrong] == [("instances", 7)]
    with database.snapshot() as tx:
        lines = {line.resource: line for line in recount.lines(tx, "demo")}
    assert all(line.agrees for line in lines.values())
    assert (lines["instances"].used, lines["ram"].used) == (40, 40 * 512)
