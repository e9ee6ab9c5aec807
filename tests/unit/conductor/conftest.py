# SPDX-License-Identifier: Apache-2.0
"""A conductor with a database, an instance that builds, and the broker's hashes."""

import datetime

import pytest

from trove.conductor.manager import Manager
from trove.conductor.reports import Reports
from trove.context import Context
from trove.db.session import Database
from trove.db.tables import Instance, Record
from trove.rpc import sealing
from trove.rpc.messages import Enrolment
from trove.workflow import journal

EXPIRES = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)
PUBLIC = sealing.keypair()[1]


class Broker:
    def __init__(self):
        self.hashes = {}

    def set_hash(self, instance, password_hash):
        self.hashes[instance] = password_hash


class Issuer:
    ca_pem = "the CA"
    serial = "1"

    def __init__(self):
        self.issued = []

    def issue_for_guest(self, csr, instance, names, addresses, days):
        assert names[0] == instance
        self.issued.append((csr, names, addresses, days))
        return "a certificate", self.serial, EXPIRES


class Office:
    def __init__(self):
        self.moment = 1000.0
        self.database = Database("sqlite://", clock=lambda: self.moment)
        Record.metadata.create_all(self.database.engine)
        self.broker, self.issuer, self.rung = Broker(), Issuer(), []
        self.reports = Reports(self.database, self.rung.append)
        self.manager = Manager(
            self.database, self.broker, self.issuer, self.rung.append, self.reports
        )
        with self.database.transaction() as tx:
            tx.add(
                Instance(
                    id="i",
                    project="p",
                    name="n",
                    task="BUILDING",
                    version_id="v",
                    flavor_id="1",
                    server_number=1,
                    addresses=[{"address": "10.9.0.7", "type": "private"}],
                    created=0,
                    updated=0,
                )
            )

    def operation(self):
        return self.database.run(
            lambda tx: journal.open(
                tx,
                kind="instance.create",
                project="p",
                object_type="instance",
                object_id="i",
                input=None,
                deadline=600,
                request_id=None,
            )
        )


@pytest.fixture
def office():
    return Office()


@pytest.fixture
def guest():
    return Context(broker_user="guest-i")


@pytest.fixture
def enrolment():
    return Enrolment(password_hash="hash", public_key=PUBLIC, csr="csr")
