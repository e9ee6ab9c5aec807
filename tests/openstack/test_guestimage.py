# SPDX-License-Identifier: Apache-2.0
"""The guest image boots, and the agent in it finds what Nova would give it."""

import uuid

import pytest

from tests.openstack import conftest, machine
from trove.flows import userdata
from trove.flows.context import Settings
from trove.guestimage import builder
from trove.service import certificates

pytestmark = [pytest.mark.root, pytest.mark.openstack, pytest.mark.timeout(1800)]

BOOTED = 900.0
"""Seconds; it takes some 40 on two cores that have nothing else to do."""


def test_the_same_inputs_are_the_same_file(image, tmp_path):
    label = builder.Label.read(image)
    again = tmp_path / "again.qcow2"
    conftest.build(again, *label.tags[1:])
    assert builder.Label.read(again).sha256 == label.sha256
    for what in ("spdx.json", "rules.json"):
        one, two = (builder.beside(path, what).read_bytes() for path in (image, again))
        assert one == two


def test_a_machine_boots_and_its_agent_calls_the_broker(image, tmp_path):
    port = machine.Port()
    settings = Settings(
        deployment="test",
        management_network="none",
        brokers=((machine.HOST, port.number),),
        guests_vhost="/trove-guests",
        broker_ca=certificates.Authority.create(tmp_path / "ca").ca_pem,
    )
    instance = str(uuid.uuid4())
    datastore = builder.Label.read(image).tags[1]
    text = userdata.render(settings, instance, datastore, "only-once")
    drive = machine.config_drive(tmp_path, text, instance)
    with machine.running(tmp_path, image, drive) as server:
        up = server.says("trove-guestagent is up", BOOTED)
        print(f"the agent is up after {up:.0f} s")
        # It read the user data: nothing else names this port. It speaks TLS.
        assert port.heard(300)[:2] == b"\x16\x03"
        assert "running 'init'" in server.console, "cloud-init"
        assert "login:" not in server.console
        assert "only-once" not in server.console
        server.press_power_button()
        assert server.ended(300) == 0, "systemd-logind turned it off in order"
        assert "Power down" in server.console
    port.close()
