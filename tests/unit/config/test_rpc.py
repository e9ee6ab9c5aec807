# SPDX-License-Identifier: Apache-2.0
"""What the brokers' options say."""

import pytest
from oslo_config import cfg

from trove import config
from trove.config import rpc


@pytest.mark.parametrize(
    "url, vhost",
    [
        ("trove-rabbit://u:p@h:5671//trove-guests", "/trove-guests"),
        ("trove-rabbit://u:p@a:5671,b:5671/guests", "guests"),
        ("trove-rabbit://u:p@h:5671/%2Fguests", "/guests"),
    ],
)
def test_the_guests_virtual_host_is_that_of_their_url(url, vhost):
    conf = cfg.ConfigOpts()
    config.register(conf, "rpc")
    conf([], project="trove-test", default_config_files=[])
    conf.set_override("guests_url", url, group="rpc")
    conf.set_override("broker_url", "https://h:15671", group="rpc")
    assert rpc.guests_vhost(conf) == vhost
    assert rpc.of_broker(conf)["url"] == "https://h:15671"
