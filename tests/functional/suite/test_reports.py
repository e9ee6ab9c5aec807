# SPDX-License-Identifier: Apache-2.0
"""What guests say is what users see: from the guest itself, and while it is fresh."""

import itertools

import sqlalchemy as sa

from tests.functional.suite.client import until
from trove.context import Context
from trove.db.session import epoch_now
from trove.db.tables import Event, GuestReport
from trove.model import naming
from trove.rpc.conductor import Conductor
from trove.rpc.interface import Proxy
from trove.rpc.messages import JobReport, Report

numbers = itertools.count(1_000_000)


class Liar(Context):
    """Claims to be somebody else in the message's own context."""

    def to_dict(self):
        return super().to_dict() | {"broker_user": self.broker_user}


def told(deployment, instance: str) -> list[str]:
    """The events of an instance."""
    with deployment.database.reading() as tx:
        kinds = sa.select(Event.kind).where(Event.object_id == instance)
        return list(tx.scalars(kinds))


def crashed(**about) -> Report:
    return Report(boot=9, seq=next(numbers), service="crashed", **about)


def test_nobody_speaks_for_another_guest(deployment, client):
    one, two = client.create("one"), client.create("two")
    client.ready(one, two)
    claim = Liar(broker_user=naming.guest_user(one))
    deployment.broker.users["somebody"] = {}
    try:
        for user in ("somebody", naming.guest_user(two)):
            wire = deployment.broker.connection(user)
            Proxy(Conductor, wire, claim).heartbeat(crashed())
        # two's own word counts, for two; the one before it was nobody's
        client.become(("ACTIVE", "SHUTDOWN"), two)
        assert client.state(one) == ("ACTIVE", "HEALTHY")
    finally:
        del deployment.broker.users["somebody"]
    client.delete(one, two)


def test_nobody_ends_the_job_of_another_guest(deployment, client):
    """A guest that waits is not prepared because another one says so."""
    liar, victim = client.create("liar"), client.create("dark")
    client.ready(liar)
    client.become(("BUILD", ""), victim)
    guest = deployment.fleet.guests[liar]
    (prepared,) = (job.id for job in guest.ledger.reports())
    wire = deployment.broker.connection(guest.user)
    told = tuple(
        JobReport(id=f"{operation}/prepare", state="done")
        for operation in (prepared.partition("/")[0], victim)
    )
    Proxy(Conductor, wire, Context()).heartbeat(
        Report(boot=9, seq=next(numbers), service="read_only", jobs=told)
    )
    client.become(("ACTIVE", "BLOCKED"), liar)
    assert client.state(victim) == ("BUILD", "")
    client.delete(liar, victim)


def test_a_database_that_falls_and_stands_again(deployment, client):
    made = client.create("shaky")
    client.ready(made)
    for service, seen in (
        ("crashed", "SHUTDOWN"),
        ("read_only", "BLOCKED"),
        ("running", "ACTIVE"),
        ("healthy", "HEALTHY"),
    ):
        deployment.fleet.become(made, service)
        client.become(("ACTIVE", seen), made)
    client.delete(made)


def test_a_silent_guest_is_no_healthy_one(deployment, client):
    made = client.create("silent")
    client.ready(made)
    guest = deployment.fleet.guests[made]
    guest.silent = True

    def two_minutes_later() -> None:
        # each time anew: a report may have been under way
        with deployment.database.transaction() as tx:
            tx.execute(
                sa.update(GuestReport)
                .where(GuestReport.instance_id == made)
                .values(received_at=epoch_now() - 120)
            )

    def known() -> bool:
        two_minutes_later()
        silent = "guest.silent" in told(deployment, made)
        return silent and client.state(made) == ("ACTIVE", "ERROR")

    until(known)
    guest.silent = False
    client.ready(made)
    until(lambda: "guest.heard" in told(deployment, made))
    client.delete(made)


def test_a_deleted_guest_is_shut_out(deployment, client):
    made = client.create("gone")
    client.ready(made)
    user = naming.guest_user(made)
    assert user in deployment.broker.users
    client.delete(made)
    assert user not in deployment.broker.users
    assert deployment.things(made) == []
