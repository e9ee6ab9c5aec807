# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/renewal.py: in good time, whole or not, and told if not."""

import datetime
import pathlib

import pytest

from tests.pkcs12 import Authority
from trove import errors
from trove.guestagent import brought, files, identity, renewal, state
from trove.guestagent.brought import Kept, Pair
from trove.guestagent.disks import Volume
from trove.guestagent.identity import Certificate
from trove.guestagent.renewal import Renewals
from trove.rpc.messages import Enrolled

INSTANCE = "11111111-2222-4333-8444-555555555555"
DAY = 86400.0


class Crash(BaseException):
    """The agent dies here."""


class Scene:
    """A guest with a certificate of nine days, and a conductor that may be away."""

    def __init__(self, places, host, authority):
        self.places, self.host, self.authority = places, host, authority
        self.requests, self.loaded, self.held = [], [], 0
        self.away = self.sick = False
        self.prepared = True
        self.here = ["10.9.0.7"]
        first = identity.certificate(places, host)
        self.born = first.begins.timestamp()
        self.now = self.born
        self.renewals = self.agent()

    def agent(self):
        """One life of the agent."""
        return Renewals(
            self.places,
            self.host,
            INSTANCE,
            "nobody",
            ask=self.ask,
            engine=lambda: self,
            ready=lambda: self.prepared,
            clock=lambda: self.now,
            pick=lambda low, high: high,
            where=lambda host: self.here,
        )

    def ask(self, message):
        self.requests.append(message.csr)
        if self.away:
            raise errors.Unavailable(what="the broker")
        return Enrolled(self.authority.sign(message.csr, 30), self.authority.ca)

    def load_certificate(self, tls):
        if self.sick:
            raise errors.EngineFailed(why="it does not answer")
        self.loaded.append(files.read(tls.pair).decode())

    def hold_mode(self):
        self.held += 1
        if self.sick:
            raise errors.EngineFailed(why="it does not answer")

    def bring(self, mode="enforced", days=20):
        """What a user brought is in force; its pair."""
        course = state.Course(prepared=True)
        state.save_course(self.places, course)
        pathlib.Path(state.load_guest(self.places).data).mkdir(exist_ok=True)
        made = Authority().server(days=days)
        brought.save(self.places, self.host, Kept(Pair(mode, made.pair, "ca")))
        return made.pair

    @property
    def pair(self):
        return (self.places.tls / identity.PAIR).read_text()


@pytest.fixture
def scene(guest, places, host, authority):
    files.directory(places.jobs)
    identity.taken(places)
    return Scene(places, host, authority)


def test_nothing_happens_before_two_thirds(scene):
    scene.now = scene.born + 5.9 * DAY
    assert scene.renewals.look() == renewal.EVERY
    assert scene.requests == scene.loaded == []
    assert scene.renewals.fault == ""
    assert scene.renewals.expires.endswith("+00:00")


def test_after_two_thirds_it_is_renewed_and_loaded_once(scene):
    before = scene.pair
    scene.now = scene.born + 6.1 * DAY
    scene.renewals.look()
    assert scene.loaded == [scene.pair]
    assert scene.pair != before
    assert scene.renewals.expires > "2"
    scene.renewals.look()
    assert len(scene.requests) == len(scene.loaded) == 1


def test_a_new_address_is_a_reason_and_a_lost_one_is_none(scene):
    scene.renewals.look()
    scene.here = []
    scene.renewals.look()
    assert scene.requests == []
    scene.here = ["10.9.0.8"]
    scene.renewals.look()
    scene.renewals.look()
    assert len(scene.requests) == 1


def test_a_wish_is_a_reason_until_it_is_fulfilled_and_no_longer(scene):
    """The control plane gave it a public address, which no machine sees."""
    identity.want(scene.places)
    scene.away = True
    scene.renewals.look()
    scene.away = False
    scene.agent().look()  # whose agent knows nothing of it
    assert len(scene.requests) == 2 and scene.loaded == [scene.pair]
    scene.renewals.look()
    assert len(scene.requests) == 2


def test_a_wish_that_comes_while_one_is_fulfilled_is_not_lost(scene):
    identity.want(scene.places)
    answer, wishes = scene.ask, [1]

    def ask(message):
        if wishes:
            wishes.pop()
            identity.want(scene.places)
        return answer(message)

    scene.ask = ask
    renewals = scene.agent()
    for _ in range(3):
        renewals.look()
    assert len(scene.requests) == 2


def test_a_failure_is_tried_again_with_the_same_request_ever_more_rarely(scene):
    scene.now = scene.born + 7 * DAY
    before, scene.away = scene.pair, True
    waits = [scene.renewals.look() for _ in range(12)]
    assert waits[:4] == [60, 120, 240, 480]
    assert waits[-1] == renewal.LONGEST
    assert len(set(scene.requests)) == 1
    assert scene.pair == before
    scene.away = False
    assert scene.renewals.look() == renewal.EVERY
    assert scene.loaded == [scene.pair]


def test_a_failure_is_in_the_log(scene, caplog):
    scene.now, scene.away = scene.born + 7 * DAY, True
    scene.renewals.look()
    assert "could not be renewed" in caplog.text


def test_an_engine_that_does_not_load_it_is_asked_again_without_a_new_one(scene):
    scene.now, scene.sick = scene.born + 7 * DAY, True
    scene.renewals.look()
    assert scene.loaded == []
    scene.sick = False
    scene.renewals.look()
    assert scene.loaded == [scene.pair]
    assert len(scene.requests) == 1


def test_before_the_guest_is_prepared_nothing_is_loaded(scene):
    scene.now, scene.prepared = scene.born + 7 * DAY, False
    scene.renewals.look()
    assert scene.loaded == []
    scene.prepared = True
    scene.agent().look()
    assert scene.loaded == [scene.pair]


def test_the_last_days_are_a_fault(scene):
    """Of nine days the last day and a half; of ninety the last seven."""
    scene.away = True
    scene.now = scene.born + 7 * DAY
    scene.renewals.look()
    assert scene.renewals.fault == ""
    scene.now = scene.born + 8 * DAY
    assert "ends in 1 days and could not be renewed" in scene.renewals.fault
    scene.now = scene.born + 10 * DAY
    assert "ended on" in scene.renewals.fault


@pytest.mark.parametrize("left, late", [(8, False), (6.9, True), (-1, True)])
def test_seven_days_of_ninety(left, late):
    begins = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = Certificate("1", begins, begins + datetime.timedelta(days=90))
    assert bool(renewal.fault(made, made.ends.timestamp() - left * DAY)) is late
    assert renewal.is_due(made, begins.timestamp() + 60.1 * DAY)
    assert not renewal.is_due(made, begins.timestamp() + 59.9 * DAY)


@pytest.mark.parametrize("number", range(1, 10))
def test_a_crash_at_any_write_leaves_a_pair_that_fits(scene, monkeypatch, number):
    """Key and certificate are always those of one day, and it is taken up again."""
    scene.renewals.look()
    scene.now = scene.born + 7 * DAY
    write, count = files.write, iter(range(1, 99))

    def crashing(path, *arguments, **options):
        if next(count) == number:
            raise Crash
        write(path, *arguments, **options)

    with monkeypatch.context() as broken:
        broken.setattr(files, "write", crashing)
        try:
            scene.renewals.look()
        except Crash:
            pass
        else:
            assert number > 8
    assert fits(scene)
    scene.agent().look()
    assert fits(scene)
    assert scene.loaded[-1] == scene.pair
    assert not identity.owed(scene.places)


def fits(scene):
    """Whether the key in the file is the certificate's."""
    pair = scene.pair
    ours = scene.host.run(["openssl", "pkey", "-pubout"], input=pair).stdout
    theirs = scene.host.run(["openssl", "x509", "-noout", "-pubkey"], input=pair)
    return theirs.stdout == ours


def test_no_certificate_is_nothing_to_renew(places, host, authority):
    calm = Renewals(
        places,
        host,
        INSTANCE,
        "nobody",
        ask=None,
        engine=None,
        ready=lambda: True,
    )
    assert renewal.EVERY * 0.9 <= calm.look() <= renewal.EVERY
    assert (calm.expires, calm.fault) == (None, "")


def test_the_machine_knows_its_addresses(host):
    found = renewal.addresses(host)
    assert "127.0.0.1" not in found
    assert found == sorted(set(found))


def test_it_starts_looks_when_rung_and_ends(scene):
    scene.now = scene.born + 7 * DAY
    scene.renewals.start()
    scene.renewals.ring()
    assert scene.renewals.alive()
    assert scene.renewals.stop(5)


def test_ours_is_renewed_beside_what_a_user_brought_and_does_not_replace_it(scene):
    pair, before = scene.bring(), scene.pair
    scene.now = scene.born + 6.1 * DAY
    scene.renewals.look()
    assert scene.pair != before
    assert set(scene.loaded) == {pair}
    assert scene.renewals.expires == identity.dates(scene.host, pair).ends.isoformat()


def test_a_new_address_does_not_replace_what_a_user_brought(scene):
    pair = scene.bring()
    scene.renewals.look()
    scene.here = ["10.9.0.8"]
    identity.want(scene.places)
    scene.renewals.look()
    assert len(scene.requests) == 1 and set(scene.loaded) == {pair}


@pytest.mark.parametrize(
    "days, warned, fault",
    [(40, False, ""), (20, True, ""), (6, True, "ends on"), (-0.5, True, "ended on")],
)
def test_the_last_days_of_what_a_user_brought_are_told(
    scene, caplog, days, warned, fault
):
    """A month before in the log, and a week before in the report."""
    scene.bring(days=days)
    scene.renewals.look()
    assert ("was brought ends on" in caplog.text) is warned
    assert (fault in scene.renewals.fault) if fault else not scene.renewals.fault


def test_the_mode_is_held_to_where_it_is_the_accounts(scene):
    scene.bring("basic")
    scene.renewals.look()
    assert scene.held == 0
    scene.bring("mtls")
    scene.sick = True
    assert scene.renewals.look() == renewal.EVERY
    scene.sick = False
    scene.renewals.look()
    assert scene.held == 2


def test_while_the_volume_is_away_the_engine_keeps_what_it_has(scene):
    scene.bring()
    identity.owe(scene.places)
    volume = Volume("uuid", "label", "xfs", made=True)
    state.save_course(scene.places, state.Course(volume, prepared=True))
    assert scene.renewals.look() == renewal.EVERY
    assert scene.loaded == [] and identity.owed(scene.places)
