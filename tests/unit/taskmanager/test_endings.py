# SPDX-License-Identifier: Apache-2.0
"""The owner of a certificate that he brought is told once at each of a few moments."""

import pytest
import sqlalchemy as sa

from tests.unit.taskmanager.test_housekeeping import instance
from trove.db.queries import certificates
from trove.db.tables import Event, Instance
from trove.taskmanager.endings import Endings
from trove.taskmanager.housekeeping import Housekeeping
from trove.taskmanager.outbox import messages

DAY = 86400.0
ENDS = 100 * DAY


@pytest.fixture
def known(house):
    """An instance whose certificate ends after a hundred days."""
    house.add(instance("i"))
    serve(house, "first")
    return house


def serve(house, fingerprint, ends=ENDS):
    """It was brought, and the guest said that it serves with it."""
    with house.database.transaction() as tx:
        certificates.brought(tx, "i", fingerprint, ends)
        certificates.in_force(tx, "i", fingerprint)


def told(house, left, ends=ENDS, **how):
    """What is new when so many days are left, by two who look at once."""
    before = len(events(house))
    house.moment = ends - left * DAY
    for _ in range(2):
        Endings(house.database, **how).round()
    return [
        (kind.removeprefix("instance.ssl."), payload.get("days"))
        for kind, payload in events(house)[before:]
    ]


def events(house):
    with house.database.reading() as tx:
        return tx.execute(
            sa.select(Event.kind, Event.payload).order_by(Event.seq)
        ).all()


def test_each_moment_is_told_once_from_a_month_to_the_end(known):
    days = [90, 30, 29.9, 29, 8, 6.5, 2, 0.9, 0.1, 0, -1, -100]
    assert {left: told(known, left) for left in days} == {
        **dict.fromkeys(days, []),
        29.9: [("ending", 29)],
        6.5: [("ending", 6)],
        0.9: [("ending", 0)],
        0: [("ended", None)],
    }
    _, payload = events(known)[0]
    assert payload == {"days": 29, "expires": "1970-04-11T00:00:00+00:00"}


def test_what_nobody_looked_at_is_told_by_its_last_moment_only(known):
    assert told(known, 3) == [("ending", 3)]
    assert told(known, -5) == [("ended", None)]


def test_another_certificate_is_told_of_by_itself(known):
    assert told(known, 20) == [("ending", 20)]
    serve(known, "second", ENDS + 50 * DAY)
    assert told(known, 19) == []
    assert told(known, 20, ends=ENDS + 50 * DAY) == [("ending", 20)]


def test_a_step_back_tells_nothing_twice(known):
    assert told(known, 20) == [("ending", 20)]
    serve(known, "second", ENDS + 50 * DAY)
    serve(known, "first")
    assert told(known, 19) == []
    assert told(known, 5) == [("ending", 5)]


def test_the_deployments_own_is_nobodys_to_bring(known):
    with known.database.transaction() as tx:
        certificates.in_force(tx, "i", "the deployment's own")
    assert told(known, 5) == [] and told(known, -1) == []


def test_what_ended_and_does_not_serve_is_forgotten(known):
    known.moment = ENDS + 1
    serve(known, "second", ENDS + 50 * DAY)
    with known.database.transaction() as tx:
        certificates.in_force(tx, "i", "first")
    assert told(known, -1) == []


def test_of_an_instance_that_is_gone_nothing_is_told(known):
    with known.database.transaction() as tx:
        tx.get_one(Instance, "i").deleted_at = 1.0
    assert told(known, 5) == []


def test_who_dies_before_the_end_of_the_transaction_has_told_nothing(known):
    known.moment = ENDS - 20 * DAY
    with known.database.reading() as tx:
        (one,) = certificates.ending(tx, (30, 7, 1), 9)
    with pytest.raises(KeyboardInterrupt), known.database.transaction() as tx:
        assert certificates.told(tx, one, (30, 7, 1)) == 20 * DAY
        raise KeyboardInterrupt
    assert told(known, 20) == [("ending", 20)]


def test_the_days_are_the_operators(known):
    assert told(known, 55, days=[60, 2]) == [("ending", 55)]
    assert told(known, 5, days=[60, 2]) == []
    assert told(known, 1.5, days=[60, 2]) == [("ending", 1)]
    assert told(known, -1, days=[]) == [("ended", None)]


def test_a_round_of_housekeeping_tells_it(known):
    known.moment = ENDS - 20 * DAY
    for _ in range(2):
        Housekeeping(known.database).round()
    assert [kind for kind, _ in events(known)] == ["instance.ssl.ending"]


def test_many_certificates_of_which_nothing_is_new_are_one_query(known):
    said = []
    sa.event.listen(
        known.database.engine,
        "before_cursor_execute",
        lambda line, cursor, statement, *more: said.append(statement),
    )
    for number in range(30):
        known.add(instance(f"i-{number}"))
        with known.database.transaction() as tx:
            certificates.brought(tx, f"i-{number}", "first", ENDS)
            certificates.in_force(tx, f"i-{number}", "first")
    assert told(known, 20)
    said.clear()
    Endings(known.database).round()
    assert len([one for one in said if one != "BEGIN"]) == 1


def test_it_is_a_notification_by_its_name(known):
    told(known, 20)
    with known.database.reading() as tx:
        kind, payload = tx.execute(sa.select(Event.kind, Event.payload)).one()

    class News:
        pass

    news = News()
    news.kind, news.payload, news.object_id = kind, payload, "i"
    news.request_id = news.instance = None
    ((name, body, error),) = messages(news)
    assert name == "dbaas.instance_ssl_ending" and not error
    assert body["days"] == 20
