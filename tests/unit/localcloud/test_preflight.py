# SPDX-License-Identifier: Apache-2.0
import json
import os
import pathlib
import socket

import pytest

from trove.localcloud import layout, preflight

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="looks only as root")


def place(**values):
    return layout.Layout(state=pathlib.Path("/var/lib/none"), tag="tst", **values)


@pytest.mark.skipif(os.geteuid() == 0, reason="is root")
def test_who_is_not_root_is_told_only_that(host):
    assert preflight.refusals(place(), host) == [
        "The local cloud makes containers and devices: run it as root."
    ]


@needs_root
def test_a_network_that_is_taken_is_refused(host):
    routes = [
        {"dst": "default", "dev": "eth0"},
        {"dst": "10.77.0.128/25", "dev": "vpn0"},
    ]
    host.answers["route show"] = json.dumps(routes)
    said = preflight.refusals(place(), host, installed=False, ports=(), space=0)
    assert [sentence for sentence in said if "10.77.0.128/25 is on vpn0" in sentence]


@needs_root
def test_our_own_bridge_is_no_clash(host):
    routes = [{"dst": "10.77.0.0/24", "dev": "tstbr0"}]
    host.answers["route show"] = json.dumps(routes)
    said = preflight.refusals(place(), host, installed=False, ports=(), space=0)
    assert not [sentence for sentence in said if "taken" in sentence]


@needs_root
@pytest.mark.parametrize("cidr", ["10.77.0.0/30", "what"])
def test_a_network_that_is_none_is_refused(host, cidr):
    said = preflight.refusals(place(cidr=cidr), host, installed=False, ports=())
    assert [sentence for sentence in said if sentence.startswith(("The net", "what"))]


@needs_root
def test_a_port_that_is_taken_is_refused(host):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = preflight.refusals(place(), host, installed=False, ports=(port,))
    assert f"Port {port} of 127.0.0.1 is taken." in said


@needs_root
def test_a_disk_that_is_full_is_refused(host):
    said = preflight.refusals(place(), host, False, (), space=1 << 60)
    assert [sentence for sentence in said if "GiB are free in" in sentence]


def test_a_firewall_that_drops_is_warned_of(host):
    host.answers["filter INPUT"] = "type filter hook input; policy drop;"
    [warning] = preflight.warnings(place(), host)
    assert "tstbr0" in warning
