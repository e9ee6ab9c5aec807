# SPDX-License-Identifier: Apache-2.0
"""The driver's own small parts; tests/contract/rpc runs it on a real broker."""

import amqp.exceptions
import oslo_messaging
import pytest
from oslo_config import cfg

from trove.rpc import driver


def test_each_host_is_verified_by_its_own_name():
    """As kombu does it: fills the name in where it reads None, then unpacks."""
    options = driver.TlsOptions(ca_certs="ca", server_hostname=None)
    for host in ("a.example", "b.example"):
        if options["server_hostname"] is None:
            options["server_hostname"] = host
        assert dict(**options)["server_hostname"] == host
        assert options["ca_certs"] == "ca"


@pytest.mark.parametrize(
    "query, sentence",
    [
        ("", "needs TLS"),
        ("?ssl=true", "needs TLS"),
        ("?ssl=true&ssl_ca_file=/ca.pem", "needs quorum queues"),
        (
            "?ssl=true&ssl_ca_file=/ca.pem&rabbit_quorum_queue=true",
            "needs quorum queues",
        ),
    ],
)
def test_it_refuses_to_start_without(query, sentence):
    cfg.CONF([])
    url = f"trove-rabbit://u:p@127.0.0.1:1//v{query}"
    with pytest.raises(oslo_messaging.DriverLoadFailure, match=sentence):
        oslo_messaging.get_rpc_transport(cfg.CONF, url)
    cfg.CONF.reset()


class Waiting(driver.Driver):
    """A driver whose broker gives these answers, one after the other."""

    def __init__(self, *answers):
        self._answers = list(answers)

    def _get_connection(self, purpose):
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_server_outwaits_a_broker_that_is_away_or_too_busy(monkeypatch):
    """A crowd keeps the broker busy: a taskmanager that starts then must not end."""
    monkeypatch.setattr(driver, "PAUSE", 0.0)
    waiting = Waiting(
        oslo_messaging.MessageDeliveryFailure("away"),
        TimeoutError("the read operation timed out"),
        amqp.exceptions.ConnectionForced("it ends"),
        "a connection",
    )
    assert waiting._broker_to_listen_to() == "a connection"
