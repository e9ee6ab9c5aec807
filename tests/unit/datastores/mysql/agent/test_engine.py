# SPDX-License-Identifier: Apache-2.0
"""MySQL is made whole or not at all."""

import pytest

from trove import errors
from trove.datastores.mysql.agent import engine
from trove.datastores.protocol import Ran

DATA = "/srv/mysql/data"


@pytest.fixture
def mysql(host):
    return engine(host)


def test_data_get_their_name_when_they_are_complete(host, mysql):
    host.answers["mysqld"] = Ran(1, "", "disk full")
    with pytest.raises(errors.EngineFailed, match="disk full"):
        mysql.initialise(host.sizing, host.tls)
    assert not host.exists(DATA)
    del host.answers["mysqld"]
    mysql.initialise(host.sizing, host.tls)
    assert host.exists(DATA)
    assert "mysqld as mysql" in host.deeds


def test_data_that_are_there_are_left_alone(host, mysql):
    host.files[DATA] = "precious"
    mysql.initialise(host.sizing, host.tls)
    assert host.files[DATA] == "precious"
    assert "mysqld as mysql" not in host.deeds


@pytest.mark.parametrize("said", ["[ERROR] a bad value", "'x': value 1 adjusted to 2"])
def test_a_refused_configuration_is_not_written(host, mysql, said):
    host.answers["mysqld"] = Ran(0, "", f"note\n{said}\n")
    with pytest.raises(errors.Invalid, match="value"):
        mysql.configure(host.sizing, host.tls, {}, 1)
    assert not [path for path in host.files if path.endswith("50-group.cnf")]


def test_the_kernel_says_who_the_administrator_is(host, mysql):
    mysql.initialise(host.sizing, host.tls)
    said = host.files["/etc/trove-mysql/bootstrap.sql"]
    assert "'root'@'localhost' IDENTIFIED WITH auth_socket" in said


class Answers:
    """A conversation with a server of a version."""

    def __init__(self, path, within):
        pass

    def rows(self, statement, within):
        return [("9.7.4",)]

    def close(self):
        pass


@pytest.mark.parametrize(
    "history, upgraded",
    [
        ('{"upgrade_history": [{"version": "8.4.1"}, {"version": "9.7.4"}]}', True),
        ('{"upgrade_history": [{"version": "9.7.4"}, {"version": "9.7.5"}]}', False),
        ('{"upgrade_history": []}', False),
        ("{}", False),
    ],
)
def test_data_that_were_not_upgraded_are_told(
    host, mysql, monkeypatch, history, upgraded
):
    monkeypatch.setattr(type(mysql), "own", mysql.own._replace(talk=Answers))
    host.files[f"{DATA}/mysql_upgrade_history"] = history
    if upgraded:
        mysql.upgrade()
        assert host.deeds == []
    else:
        with pytest.raises(errors.EngineFailed, match="upgraded"):
            mysql.upgrade()
        assert host.deeds == ["restart mysql.service"], "it was given the occasion"
