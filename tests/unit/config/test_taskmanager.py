# SPDX-License-Identifier: Apache-2.0
"""What flows are told of the operator's decisions."""

from oslo_config import cfg

from trove import config
from trove.config import taskmanager
from trove.flows.context import Settings


def test_brokers_as_guests_reach_them():
    conf = cfg.ConfigOpts()
    config.register(conf, "taskmanager", "cloud", "rpc")
    conf([], project="trove-test", default_config_files=[])
    hosts = ["10.0.0.1:5671", " [fd00::1]:5671"]
    conf.set_override("guest_hosts", hosts, group="rpc")
    conf.set_override("management_network", "guests", group="taskmanager")
    told = taskmanager.of_flows(conf)
    settings = Settings(**told, guests_vhost="/g", broker_ca="PEM")
    assert settings.brokers == (("10.0.0.1", 5671), ("fd00::1", 5671))
    assert settings.management_network == "guests"
    assert settings.deployment == "trove"
