# SPDX-License-Identifier: Apache-2.0
"""The health checks look, say no when there is nothing, and are not worn out."""

import socket
import typing
from collections.abc import Iterator

import pytest
from oslo_config import cfg

from trove import config
from trove.api.healthcheck import BELIEVED, Broker, Database, shake_hands
from trove.db.session import Database as ControlDatabase


class Clock:
    now = 1.0

    def __call__(self) -> float:
        return self.now


def conf(control_url: str | None = None) -> cfg.ConfigOpts:
    made = cfg.ConfigOpts()
    made([], project="trove", default_config_files=[])
    config.register(made, "rpc", "api")
    # a group's overrides are shared by everybody who registers it
    made.set_override("control_url", control_url, group="rpc")
    return made


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    yield
    conf().clear_override("control_url", group="rpc")


def test_a_database_that_answers(tmp_path: typing.Any) -> None:
    database = ControlDatabase(f"sqlite:///{tmp_path}/x.sqlite")
    result = Database(conf(), {}, database).healthcheck(0)
    database.close()
    assert result.available
    assert result.reason == "The database answers"


def test_a_database_that_does_not() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        url = f"postgresql://trove:hunter2@127.0.0.1:{port}/trove"
        database = ControlDatabase(url)
        result = Database(conf(), {}, database).healthcheck(0)
        database.close()
    assert not result.available
    assert "hunter2" not in result.reason + str(result.details)


def test_a_broker_is_asked_once_in_a_while() -> None:
    clock, asked = Clock(), []
    check = Broker(conf(), {}, asked.append, clock=clock)
    assert check.healthcheck(0).available
    assert check.healthcheck(0).available
    assert len(asked) == 1
    clock.now += BELIEVED + 1
    check.healthcheck(0)
    assert len(asked) == 2


def test_a_broker_that_refuses() -> None:
    def refuse(_: cfg.ConfigOpts) -> None:
        raise ConnectionRefusedError

    result = Broker(conf(), {}, refuse).healthcheck(0)
    assert not result.available
    assert (result.reason, result.details) == (
        "The message broker does not answer",
        "ConnectionRefusedError",
    )


def test_a_port_where_no_broker_is() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        url = f"rabbit://u:p@127.0.0.1:{port}//trove"
        result = Broker(conf(control_url=url), {}).healthcheck(0)
    assert not result.available


def test_where_there_is_no_broker_nothing_is_asked() -> None:
    shake_hands(conf())
    shake_hands(conf(control_url="fake:///"))
