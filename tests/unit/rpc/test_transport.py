# SPDX-License-Identifier: Apache-2.0
"""The transports: no TLS, no connection; each side its own settings."""

import subprocess
import sys

import pytest
from oslo_config import cfg

from trove import config, errors
from trove.rpc import driver, transport

GUEST = {
    "instance": "i-1",
    "vhost": "/trove-guests",
    "user": "guest-i-1",
    "password": "secret",
}


@pytest.fixture(name="conf")
def global_configuration():
    cfg.CONF([])
    config.register(cfg.CONF, "rpc")
    yield cfg.CONF
    cfg.CONF.reset()
    for name in ("control_url", "guests_url", "ca_file"):
        cfg.CONF.clear_override(name, group="rpc")


@pytest.fixture(name="ca")
def ca_file(tmp_path):
    path = tmp_path / "ca.pem"
    path.write_text("PEM")
    return str(path)


def guest(conf, tmp_path, **other):
    return transport.guest(conf, **(GUEST | {"lock_path": str(tmp_path)} | other))


def settings(made):
    return made._driver.conf.oslo_messaging_rabbit


def test_a_guest_is_bound_to_its_own_names(conf, tmp_path, ca):
    made = guest(
        conf, tmp_path, hosts=["192.0.2.1:5671", "[2001:db8::1]:5671"], ca_file=ca
    )
    ours = settings(made)
    assert isinstance(made._driver, driver.Driver)
    assert made._driver._connection_pool.connection_cls.func is driver.Connection
    assert (ours.ssl, ours.ssl_ca_file) == (True, ca)
    assert (ours.trove_side, ours.hostname) == ("guest", "guest-i-1")
    assert ours.use_queue_manager and ours.processname == "trove-guestagent"
    assert ours.rabbit_quorum_queue and ours.rabbit_transient_quorum_queue
    hosts = {(one.hostname, one.port) for one in made._driver._url.hosts}
    assert hosts == {("192.0.2.1", 5671), ("2001:db8::1", 5671)}


@pytest.mark.parametrize("missing", [None, "", "/no/such/file"])
def test_a_guest_without_a_ca_is_refused(conf, tmp_path, missing):
    with pytest.raises(errors.Invalid, match="CA file"):
        guest(conf, tmp_path, hosts=["192.0.2.1:5671"], ca_file=missing)


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "a b:1", "u:p@h:5671", "h:1?ssl=0", "h:1/v", ":1", "h:x"]
)
def test_a_host_is_a_host_and_a_port(conf, tmp_path, ca, host):
    with pytest.raises(errors.Invalid, match="is not host:port"):
        guest(conf, tmp_path, hosts=[host], ca_file=ca)


def test_a_guest_without_a_broker_is_refused(conf, tmp_path, ca):
    with pytest.raises(errors.Invalid, match="no broker"):
        guest(conf, tmp_path, hosts=[], ca_file=ca)


def test_the_control_plane_has_two_with_different_settings(conf, ca):
    conf.set_override("control_url", "rabbit://u:p@h:1//trove", group="rpc")
    conf.set_override(
        "guests_url", "trove-rabbit://u:p@g:2//trove-guests?ssl=false", group="rpc"
    )
    conf.set_override("ca_file", ca, group="rpc")
    one, other = transport.control(conf), transport.guests(conf)
    assert not isinstance(one._driver, driver.Driver)
    assert isinstance(other._driver, driver.Driver)
    for made in (one, other):
        ours = settings(made)
        assert ours.ssl and ours.ssl_ca_file == ca, "a URL turned TLS off"
        assert ours.rabbit_quorum_queue and not ours.use_queue_manager
    assert settings(other).trove_side == "control"
    assert one._driver._url.virtual_host == "/trove"


@pytest.mark.parametrize(
    "url, sentence",
    [
        (None, "guests_url is not set"),
        ("rabbit://u:p@h:1//v", "must begin with trove-rabbit://"),
        ("trove-rabbit://u:p@h:1//v", "CA file"),
    ],
)
def test_a_wrong_url_is_told(conf, url, sentence):
    conf.set_override("guests_url", url, group="rpc")
    with pytest.raises(errors.Invalid, match=sentence):
        transport.guests(conf)


def test_the_fake_one_needs_nothing(conf):
    conf.set_override("guests_url", "fake://", group="rpc")
    transport.guests(conf).cleanup()


def test_only_the_global_configuration_will_do():
    other = cfg.ConfigOpts()
    config.register(other, "rpc")
    with pytest.raises(TypeError, match="global"):
        transport.guests(other)


def test_no_password_is_in_the_text_of_an_error(conf, tmp_path, ca):
    with pytest.raises(errors.Invalid) as caught:
        guest(conf, tmp_path, hosts=["nonsense"], ca_file=ca)
    assert "secret" not in str(caught.value)


def test_the_module_costs_little_and_the_driver_what_a_guest_can_afford():
    told = """
import sys
from trove.rpc import transport, interface
loaded = lambda *names: {name for name in names if sys.modules.get(name)}
heavy = loaded("oslo_messaging", "kombu", "eventlet", "requests")
from trove.service import threads
threads.prepare()
import trove.rpc.driver, trove.rpc.passwords
heavy |= loaded("eventlet", "requests", "sqlalchemy", "pecan")
with open("/proc/self/status") as status:
    resident = next(line for line in status if line.startswith("VmRSS"))
print(int(resident.split()[1]) // 1024, *heavy)
"""
    blocked = "import sys; sys.modules['eventlet'] = sys.modules['greenlet'] = None\n"
    done = subprocess.run(
        [sys.executable, "-c", blocked + told],
        capture_output=True,
        text=True,
        check=True,
    )
    resident, *heavy = done.stdout.split()
    assert heavy == []
    assert int(resident) < 50, f"{resident} MiB before the agent did anything"
