# SPDX-License-Identifier: Apache-2.0
"""The driver's own small parts; tests/contract/rpc runs it on a real broker."""

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
