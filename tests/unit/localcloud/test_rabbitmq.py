# SPDX-License-Identifier: Apache-2.0
"""The private RabbitMQ node's files: its own names and ports, and no secret about."""

import os

import pytest

from trove import errors
from trove.localcloud import rabbitmq
from trove.localcloud.layout import Layout
from trove.service.certificates import Authority


@pytest.fixture(name="layout")
def prepared_layout(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # no other user's files here
    layout = Layout(state=tmp_path, tag="tst", ports=21000)
    rabbitmq.prepare(layout, Authority.create(layout.pki / "ca"))
    return layout


def test_everything_of_it_is_in_its_own_place(layout):
    _argv, environ, user = rabbitmq.command(layout)
    assert user is None
    assert environ["RABBITMQ_NODENAME"] == "tst@localhost"
    assert environ["ERL_EPMD_PORT"] == "21069"
    assert environ["ERL_EPMD_ADDRESS"] == "127.0.0.1"
    assert environ["HOME"].startswith(str(layout.rabbitmq))
    paths = [
        value for name, value in environ.items() if name.endswith(("BASE", "FILE"))
    ]
    assert paths and all(path.startswith(str(layout.rabbitmq)) for path in paths)


def test_everybody_comes_in_through_tls(layout):
    written = (layout.rabbitmq / "rabbitmq.conf").read_text()
    assert "listeners.tcp = none" in written
    assert "listeners.ssl.control = 127.0.0.1:21072" in written
    assert "listeners.ssl.guests = 10.77.0.1:21071" in written
    assert "management.tcp.ip = 127.0.0.1" in written


def test_passwords_are_made_once_and_kept_to_themselves(layout):
    access = rabbitmq.access(layout)
    rabbitmq.prepare(layout, Authority.load(layout.pki / "ca"))
    assert rabbitmq.access(layout) == access
    assert access.broker_password not in repr(access)
    holders = [
        path
        for path in layout.state.rglob("*")
        if path.is_file() and access.broker_password in path.read_text()
    ]
    assert holders == [layout.etc / "broker.json"]
    assert holders[0].stat().st_mode & 0o077 == 0
    assert access.guest_hosts == ("10.77.0.1:21071",)
    assert access.control_url.startswith("rabbit://trove-control:")
    assert access.control_url.endswith("@127.0.0.1:21072//trove")
    assert access.guests_url.endswith("@127.0.0.1:21072//trove-guests")


def test_a_damaged_password_file_is_told_not_replaced(layout):
    (layout.etc / "broker.json").write_text("{}")
    with pytest.raises(errors.Invalid, match="damaged"):
        rabbitmq.access(layout)


def test_one_that_does_not_run_is_not_ready_and_stops_at_once(layout):
    assert not rabbitmq.ready(layout, "127.0.0.1")
    rabbitmq.stop(layout)
