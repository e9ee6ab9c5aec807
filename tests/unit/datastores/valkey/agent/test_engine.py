# SPDX-License-Identifier: Apache-2.0
"""Valkey is made whole or not at all, and lets nobody in who was not ordered."""

import pytest

from trove import errors
from trove.datastores.protocol import BASIC, Ran, Tls
from trove.datastores.valkey.agent import engine, rights

DATA = "/srv/valkey/data"
SECRET = "/etc/trove-valkey/agent.secret"
USERS = f"{DATA}/users.acl"
HASH = "#" + "c3" * 32
READ = Ran(1, "# Aborting Valkey startup because of ACL errors: Error loading", "")


@pytest.fixture
def valkey(host):
    host.answers["valkey-server"] = READ
    written = host.write_file
    host.modes = {}

    def write_file(path, text, *, mode=0o644, owner="root"):
        host.modes[path] = (mode, owner)
        return written(path, text, mode=mode, owner=owner)

    host.write_file = write_file
    return engine(host)


def test_the_access_list_is_there_before_the_data_have_their_name(host, valkey):
    valkey.initialise(host.sizing, host.tls)
    assert host.exists(DATA)
    text = host.files[f"{DATA}.unfinished/users.acl"]
    assert "user default reset off\n" in text
    assert rights.hashed(host.files[SECRET]) in text
    assert host.modes[f"{DATA}.unfinished/users.acl"] == (0o600, "valkey")
    assert "stop valkey-server.service" in host.deeds


def test_the_secret_is_roots_and_made_once(host, valkey):
    valkey.initialise(host.sizing, host.tls)
    first = host.files[SECRET]
    assert len(first) == 64 and host.modes[SECRET] == (0o600, "root")
    valkey.initialise(host.sizing, host.tls)
    assert host.files[SECRET] == first
    assert not [text for text in host.deeds if first in text]
    assert first not in host.files[f"{DATA}.unfinished/users.acl"]


def test_data_that_are_there_are_left_alone(host, valkey):
    host.files[DATA] = "precious"
    valkey.initialise(host.sizing, host.tls)
    assert host.files[DATA] == "precious"


def test_data_of_another_guest_are_entered_with_this_ones_secret(host, valkey):
    """Its agent had another secret; its users keep their passwords."""
    host.files[DATA] = "there"
    host.files[USERS] = f"user ann on {HASH} +@all\nuser trove_admin on {HASH} +@all\n"
    with pytest.raises(errors.EngineFailed):
        valkey.start()  # nothing answers on paper
    text = host.files[USERS]
    assert f"user ann reset on {HASH} " in text
    assert f"user trove_admin reset on {rights.hashed(host.files[SECRET])} " in text


def test_nothing_is_written_where_there_are_no_data(host, valkey):
    with pytest.raises(errors.EngineFailed):
        valkey.start()
    assert USERS not in host.files


def test_a_running_engines_list_is_its_own(host, valkey):
    host.files |= {DATA: "there", USERS: "its own"}
    host.state = "active"
    with pytest.raises(errors.EngineFailed):
        valkey.start()
    assert host.files[USERS] == "its own"


def test_a_refused_configuration_is_not_written(host, valkey):
    host.answers["valkey-server"] = Ran(1, "", "FATAL CONFIG FILE ERROR\n>>> 'hz x'")
    with pytest.raises(errors.Invalid, match="hz x"):
        valkey.configure(host.sizing, host.tls, {}, 1)
    assert not [path for path in host.files if path.endswith("50-group.conf")]


def test_what_is_written_listens_for_tls_alone(host, valkey):
    valkey.configure(host.sizing, host.tls, {"maxmemory-policy": "allkeys-lru"}, 1)
    settings = "/etc/trove-valkey"
    forced = host.files[f"{settings}/90-forced.conf"].splitlines()
    assert {"port 0", "tls-port 6379", 'unixsocketperm "700"'} <= set(forced)
    assert f'aclfile "{USERS}"' in forced
    group = host.files[f"{settings}/50-group.conf"]
    assert group == 'maxmemory-policy "allkeys-lru"\n'
    unit = host.files["/etc/systemd/system/trove-valkey.service"]
    assert f"{settings}/valkey.conf --dir {DATA}\n" in unit


def test_the_guard_outlives_a_configuration(host, valkey):
    valkey.configure(host.sizing, host.tls, {}, 1)
    guard = "/etc/trove-valkey/95-guard.conf"
    host.files[guard] = "min-replicas-to-write 9"
    valkey.configure(host.sizing, host.tls, {"hz": 20}, 1)
    assert host.files[guard] == "min-replicas-to-write 9"


def test_one_port_cannot_take_both(host, valkey):
    before = dict(host.files)
    with pytest.raises(errors.NotSupported, match="without TLS"):
        valkey.load_certificate(Tls("/tls/pair", "/tls/ca", BASIC))
    assert host.files == before


def test_the_reason_is_told_and_not_that_there_is_one(host, valkey):
    host.broken, host.state = True, "failed"
    host.log = """\
7:M 29 Nov 2026 01:27:10.543 # Failed to load certificate: /x/server.pem: no start line
7:M 29 Nov 2026 01:27:10.543 # Failed to configure TLS. Check logs for more info.
7:M 29 Nov 2026 01:27:10.544 # Valkey is now ready to exit, bye bye...
"""
    with pytest.raises(errors.EngineFailed, match=r"server\.pem"):
        valkey.start()
