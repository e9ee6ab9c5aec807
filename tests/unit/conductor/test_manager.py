# SPDX-License-Identifier: Apache-2.0
"""The conductor believes the broker about who speaks, and writes no more than that."""

import pytest

from trove import errors
from trove.context import Context
from trove.db.tables import Guest, GuestJob, GuestReport, Instance
from trove.rpc import sealing
from trove.rpc.messages import Enrolment, JobReport, Renewal, Report


def job(office, id="op/prepare", instance="i", state="sent"):
    with office.database.transaction() as tx:
        tx.add(
            GuestJob(
                id=id, instance_id=instance, method="prepare", state=state, updated=0
            )
        )


def read(office, table, id):
    with office.database.reading() as tx:
        return tx.get(table, id)


@pytest.mark.parametrize("sender", [None, "", "trove-control", "guest", "Guest-i"])
def test_a_message_from_no_guest_is_dropped_and_counted(office, sender):
    office.manager.heartbeat(Context(broker_user=sender), Report(1, 1, "healthy"))
    assert office.manager.dropped == 1
    assert read(office, GuestReport, "i") is None


def test_a_heartbeat_is_the_senders_whatever_it_says(office, guest):
    office.manager.heartbeat(guest, Report(1, 1, "healthy", disk_used=7))
    row = read(office, GuestReport, "i")
    assert (row.service, row.disk_used, row.received_at) == ("healthy", 7, 1000.0)


def test_an_older_heartbeat_loses(office, guest):
    """T07."""
    for boot, seq, service in ((2, 5, "healthy"), (1, 9, "crashed"), (2, 4, "crashed")):
        office.manager.heartbeat(guest, Report(boot, seq, service))
    assert read(office, GuestReport, "i").service == "healthy"


def test_a_change_wakes_who_waits_for_it(office, guest):
    operation = office.operation()
    office.manager.heartbeat(guest, Report(1, 1, "new"))
    office.manager.heartbeat(guest, Report(1, 2, "new"))
    assert office.rung == [operation]


def test_a_job_that_ends_is_written_once(office, guest):
    job(office)
    operation = office.operation()
    office.manager.job_changed(guest, JobReport("op/prepare", "running", 40))
    office.manager.job_changed(guest, JobReport("op/prepare", "done", 100))
    office.manager.job_changed(guest, JobReport("op/prepare", "failed", fault="late"))
    row = read(office, GuestJob, "op/prepare")
    assert (row.state, row.progress, row.fault) == ("done", 100, None)
    assert office.rung == [operation]


def test_another_guests_job_is_out_of_reach(office, guest):
    """S14, and section 4: impersonate another guest."""
    job(office, "op2/prepare", instance="j")
    office.manager.job_changed(guest, JobReport("op2/prepare", "done"))
    assert read(office, GuestJob, "op2/prepare").state == "sent"


def test_a_state_nobody_declared_is_refused(office, guest):
    job(office)
    with pytest.raises(errors.Invalid):
        office.manager.job_changed(guest, JobReport("op/prepare", "splendid"))
    assert read(office, GuestJob, "op/prepare").state == "sent"


def test_enrolment_exchanges_the_credential(office, guest, enrolment):
    answer = office.manager.enrol(guest, enrolment)
    assert (answer.certificate, answer.ca) == ("a certificate", "the CA")
    assert office.broker.hashes == {"i": "hash"}
    assert office.issuer.issued == [("csr", ["i"], ["10.9.0.7"], 90)]
    assert read(office, Guest, "i").public_key == enrolment.public_key


def test_who_waits_is_woken_by_the_first_report_not_the_enrolment(
    office, guest, enrolment
):
    """Between the two a guest does not listen: an order would not find its queue."""
    operation = office.operation()
    office.manager.enrol(guest, enrolment)
    assert office.rung == []
    office.manager.heartbeat(guest, Report(1, 1, "new"))
    assert office.rung == [operation]


def test_the_same_enrolment_twice_is_one(office, guest, enrolment):
    office.manager.enrol(guest, enrolment)
    first = read(office, Guest, "i").enrolled_at
    office.moment += 60
    office.manager.enrol(guest, enrolment)
    assert read(office, Guest, "i").enrolled_at == first


def test_a_second_key_is_refused(office, guest, enrolment):
    """Whoever finds the bootstrap credential later cannot take the guest over."""
    office.manager.enrol(guest, enrolment)
    thief = Enrolment("other", sealing.keypair()[1], "csr")
    with pytest.raises(errors.Forbidden):
        office.manager.enrol(guest, thief)
    assert office.broker.hashes == {"i": "hash"}


@pytest.mark.parametrize("sender", [None, "trove-control", "guest-unknown"])
def test_nobody_else_can_enrol(office, enrolment, sender):
    with pytest.raises(errors.Forbidden):
        office.manager.enrol(Context(broker_user=sender), enrolment)
    assert office.broker.hashes == {}


def test_a_key_that_is_none_is_refused_before_anything_changes(office, guest):
    with pytest.raises(errors.Invalid):
        office.manager.enrol(guest, Enrolment("hash", "not a key", "csr"))
    assert office.broker.hashes == {}


def test_a_renewal_has_todays_names_and_another_serial(office, guest, enrolment):
    office.manager.enrol(guest, enrolment)
    with office.database.transaction() as tx:
        row = tx.get(Instance, "i")
        row.addresses = [{"address": "10.9.0.8", "type": "private"}]
        row.hostname = "db.example"
    office.issuer.serial = "2"
    answer = office.manager.renew_certificate(guest, Renewal("csr of CN=evil"))
    assert answer.certificate == "a certificate"
    asked = office.issuer.issued[-1]
    assert asked == ("csr of CN=evil", ["i", "db.example"], ["10.9.0.8"], 90)
    row = read(office, Guest, "i")
    assert row.certificate_serial == "2"
    assert row.public_key == enrolment.public_key


def test_nobody_renews_before_it_has_enrolled(office, guest):
    with pytest.raises(errors.Forbidden):
        office.manager.renew_certificate(guest, Renewal("csr"))
    assert office.issuer.issued == []


@pytest.mark.parametrize("sender", [None, "trove-control", "guest-unknown"])
def test_nobody_else_can_renew(office, guest, enrolment, sender):
    """Section 4: impersonate another guest."""
    office.manager.enrol(guest, enrolment)
    with pytest.raises(errors.Forbidden):
        office.manager.renew_certificate(Context(broker_user=sender), Renewal("csr"))
    assert len(office.issuer.issued) == 1


def test_a_guest_of_a_deleted_instance_gets_nothing(office, guest, enrolment):
    office.manager.enrol(guest, enrolment)
    with office.database.transaction() as tx:
        tx.get(Instance, "i").deleted_at = 1001.0
    with pytest.raises(errors.Forbidden):
        office.manager.renew_certificate(guest, Renewal("csr"))
