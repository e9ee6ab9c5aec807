# SPDX-License-Identifier: Apache-2.0
"""MariaDB is killed in the middle (T08); every daemon has another hour (T13)."""

import pytest
import sqlalchemy as sa

from tests.system.faults.lab import TASKMANAGERS
from tests.system.faults.servers import until
from trove.db.tables import GuestReport, Operation

pytestmark = [pytest.mark.root, pytest.mark.mariadb, pytest.mark.rabbitmq]


def test_the_database_is_killed_in_the_middle_of_creates_and_deletes(lab, user):
    """INV-1 to 8; while it is away the API says so, and accepts nothing."""
    old = user.create("old")
    user.ready(old)
    made = [user.create("db") for _ in range(3)]
    assert user.ask("DELETE", f"instances/{old}").status == 202
    lab.daemons["mariadb"].kill()
    for verb, path, body in (
        ("GET", "instances", None),
        ("GET", f"instances/{made[0]}", None),
        ("POST", "instances", user.order("never")),
        ("DELETE", f"instances/{made[0]}", None),
    ):
        assert user.ask(verb, path, body).status == 503, (verb, path)
    lab.daemons["mariadb"].spawn()
    lab.daemons["mariadb"].wait_ready()
    until("the API is back", lambda: user.ask("GET", "instances").status == 200, 30)
    user.ready(*made, within=60)
    user.delete(old, *made)
    assert set(user.usage().values()) == {(0, 0)}


def test_no_clock_but_the_databases_counts(lab, user):
    """Leases, due times and the age of reports, with daemons two hours apart."""
    lab.skew("api", -3600)
    lab.skew("conductor", 3600)
    for name, seconds in zip(TASKMANAGERS, (3600, -3600), strict=True):
        lab.skew(name, seconds)
    lab.arm("kill after:volumes.create:1")
    id = user.create("db")
    dead = lab.struck()
    user.ready(id)  # by the other, when the lease has ended by the database's clock
    assert user.ask("POST", f"instances/{id}/action", {"restart": {}}).status == 202
    user.ready(id)
    with lab.store.reading() as tx:
        moment = tx.scalar(sa.text("SELECT UNIX_TIMESTAMP(NOW(6))"))
        said = tx.scalar(
            sa.select(GuestReport.received_at).where(GuestReport.instance_id == id)
        )
        created = tx.scalars(
            sa.select(Operation.created).where(Operation.object_id == id)
        )
        assert abs(float(moment) - said) < 30
        assert all(abs(float(moment) - began) < 120 for began in created)
    user.delete(id)
    assert lab.hands.things(id) == []
    lab.daemons[dead].kill()
    for name in ("api", "conductor", *TASKMANAGERS):
        lab.daemons[name].kill()  # the next test has right ones
