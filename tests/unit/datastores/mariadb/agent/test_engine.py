# SPDX-License-Identifier: Apache-2.0
"""MariaDB is made whole or not at all."""

import pytest

from trove import errors
from trove.datastores.mariadb.agent import engine
from trove.datastores.protocol import Ran

DATA = "/srv/mariadb/data"


@pytest.fixture
def mariadb(host):
    return engine(host)


def test_data_get_their_name_when_they_are_complete(host, mariadb):
    host.answers["mariadb-install-db"] = Ran(1, "", "disk full")
    with pytest.raises(errors.EngineFailed, match="disk full"):
        mariadb.initialise(host.sizing, host.tls)
    assert not host.exists(DATA)
    del host.answers["mariadb-install-db"]
    mariadb.initialise(host.sizing, host.tls)
    assert host.exists(DATA)
    assert "mariadb-install-db as mysql" in host.deeds


def test_data_that_are_there_are_left_alone(host, mariadb):
    host.files[DATA] = "precious"
    mariadb.initialise(host.sizing, host.tls)
    assert host.files[DATA] == "precious"
    assert not [deed for deed in host.deeds if "install" in deed]


def test_a_refused_configuration_is_not_written(host, mariadb):
    host.answers["mariadbd"] = Ran(0, "", "note\n[ERROR] a bad value\n")
    with pytest.raises(errors.Invalid, match="a bad value"):
        mariadb.configure(host.sizing, host.tls, {}, 1)
    assert not [path for path in host.files if path.endswith("50-group.cnf")]


def test_the_guard_outlives_a_configuration(host, mariadb):
    mariadb.configure(host.sizing, host.tls, {}, 1)
    guard = "/etc/trove-mariadb/95-guard.cnf"
    host.files[guard] = "read_only"
    mariadb.configure(host.sizing, host.tls, {"max_connections": 99}, 1)
    assert host.files[guard] == "read_only"
    assert "max_connections = 99" in host.files["/etc/trove-mariadb/50-group.cnf"]


def test_without_its_certificate_nothing_is_served(host, mariadb):
    del host.files["/tls/pair"]
    with pytest.raises(errors.EngineFailed, match="server.pem"):
        mariadb.configure(host.sizing, host.tls, {}, 1)
