# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL is made whole or not at all."""

import pytest

from trove import errors
from trove.datastores.postgresql.agent import engine
from trove.datastores.protocol import Ran

DATA = "/srv/postgresql/data"


@pytest.fixture
def postgresql(host):
    return engine(host)


@pytest.mark.parametrize("program", ["initdb", "postgres"])
def test_data_get_their_name_when_they_are_complete(host, postgresql, program):
    host.answers[program] = Ran(1, "", "FATAL: disk full")
    with pytest.raises(errors.EngineFailed, match="disk full"):
        postgresql.initialise(host.sizing, host.tls)
    assert not host.exists(DATA)
    del host.answers[program]
    postgresql.initialise(host.sizing, host.tls)
    assert host.exists(DATA)
    assert {"initdb as postgres", "postgres as postgres"} <= set(host.deeds)


def test_data_that_are_there_are_left_alone(host, postgresql):
    host.files[DATA] = "precious"
    postgresql.initialise(host.sizing, host.tls)
    assert host.files[DATA] == "precious"
    assert not [deed for deed in host.deeds if "initdb" in deed]


def test_a_refused_configuration_is_not_written(host, postgresql):
    host.answers["postgres"] = Ran(1, "", "FATAL: a bad value")
    with pytest.raises(errors.Invalid, match="a bad value"):
        postgresql.configure(host.sizing, host.tls, {}, 1)
    assert not [path for path in host.files if path.endswith("50-group.conf")]


def test_the_guard_outlives_a_configuration(host, postgresql):
    postgresql.configure(host.sizing, host.tls, {}, 1)
    guard = "/etc/trove-postgresql/95-guard.conf"
    host.files[guard] = "read only"
    postgresql.configure(host.sizing, host.tls, {"max_connections": 99}, 1)
    assert host.files[guard] == "read only"
    assert "max_connections = 99" in host.files["/etc/trove-postgresql/50-group.conf"]


def test_nobody_enters_without_tls_and_a_password(host, postgresql):
    postgresql.configure(host.sizing, host.tls, {}, 1)
    rules = host.files["/etc/trove-postgresql/pg_hba.conf"].splitlines()
    assert rules[:2] == [
        "local all,replication postgres peer map=trove",
        "local all trove_backup,trove_loader peer map=trove",
    ]
    for rule in rules[2:]:
        assert rule.startswith("hostssl")
        assert rule.endswith(("scram-sha-256", "reject"))


def test_why_it_did_not_start_is_not_what_a_client_heard(host, postgresql):
    """Who connects while it starts, or ends, is turned away by a line of its own."""
    host.broken, host.state = True, "failed"
    host.log = (
        "FATAL:  recovery ended before the target was reached\n"
        "postgres@postgres FATAL:  the database system is not accepting connections\n"
        "postgres@postgres FATAL:  the database system is shutting down\n"
    )
    with pytest.raises(errors.EngineFailed, match="recovery ended"):
        postgresql.start()
