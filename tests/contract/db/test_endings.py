# SPDX-License-Identifier: Apache-2.0
"""The end of a certificate is told once by many who look, and by who is left."""

import threading

import sqlalchemy as sa

from tests.contract.db.test_races import at_once, write_instance
from trove.db.queries import certificates
from trove.db.session import now
from trove.db.tables import BroughtCertificate, Event
from trove.taskmanager.endings import Endings

INSTANCES, TELLERS = 12, 4
DAYS = (30, 7, 1)


def bring(database, id, left):
    """A certificate of the instance, in force, with so many days left."""

    def work(tx):
        ends = now(tx) + left * certificates.DAY
        certificates.brought(tx, id, f"of {id}", ends)
        certificates.brought(tx, id, f"of {id}", ends)
        certificates.in_force(tx, id, f"of {id}")

    database.run(work)


def events(database):
    with database.reading() as tx:
        found = tx.execute(sa.select(Event.object_id, Event.kind, Event.payload))
        return sorted((id, kind, said.get("days")) for id, kind, said in found)


def test_of_many_who_look_one_tells_it(database):
    lefts = (40, 20.5, 5.5, -1)
    for number in range(INSTANCES):
        write_instance(database, f"i-{number:02}")
        bring(database, f"i-{number:02}", lefts[number % 4])
    together = threading.Barrier(TELLERS)

    def look(_):
        for _ in range(3):
            together.wait(60)
            Endings(database, DAYS).round()

    at_once(look, range(TELLERS), TELLERS)
    said = [None, ("ending", 20), ("ending", 5), ("ended", None)]
    assert events(database) == [
        (f"i-{number:02}", f"instance.ssl.{about[0]}", about[1])
        for number in range(INSTANCES)
        if (about := said[number % 4])
    ]


def test_who_waits_for_another_that_dies_tells_it(database):
    """The row is held until the other's transaction has ended, whichever way."""
    write_instance(database, "i")
    bring(database, "i", 20.5)
    with database.reading() as tx:
        (one,) = certificates.ending(tx, DAYS, 9)

    class Death(Exception):
        pass

    try:
        with database.transaction() as tx:
            assert certificates.told(tx, one, DAYS)
            raise Death
    except Death:
        pass
    assert database.run(lambda tx: certificates.told(tx, one, DAYS))
    assert database.run(lambda tx: certificates.told(tx, one, DAYS)) is None


def test_which_serves_is_one_and_what_is_gone_is_forgotten(database):
    bring(database, "i", 20)
    bring(database, "j", 20)
    database.run(lambda tx: certificates.brought(tx, "i", "next", 9e9))
    database.run(lambda tx: certificates.in_force(tx, "i", "next"))
    table = BroughtCertificate

    def serving():
        with database.reading() as tx:
            found = tx.execute(
                sa.select(table.instance_id, table.fingerprint).where(table.in_force)
            )
            return sorted(map(tuple, found))

    assert serving() == [("i", "next"), ("j", "of j")]
    database.run(lambda tx: certificates.forget(tx, "i"))
    assert serving() == [("j", "of j")]
